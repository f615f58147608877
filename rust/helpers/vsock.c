// SPDX-License-Identifier: GPL-2.0
/* Only linked into modules that need vsock.ko. */

#include <net/af_vsock.h>
#include <net/sock.h>

#include "helpers.h"

void xenoxide_sock_hold(struct sock *sk)
{
	sock_hold(sk);
}

void xenoxide_sock_put(struct sock *sk)
{
	sock_put(sk);
}

void xenoxide_sock_spin_lock(struct sock *sk)
{
	spin_lock_bh(&sk->sk_lock.slock);
}

void xenoxide_sock_spin_unlock(struct sock *sk)
{
	spin_unlock_bh(&sk->sk_lock.slock);
}

bool xenoxide_sock_owned(const struct sock *sk)
{
	return sock_owned_by_user_nocheck(sk);
}

void xenoxide_sock_set_owned(struct sock *sk)
{
	sk->sk_lock.owned = 1;
}

void xenoxide_sock_acquired(struct sock *sk)
{
	mutex_acquire(&sk->sk_lock.dep_map, 0, 1, _RET_IP_);
}

void xenoxide_sock_data_ready(struct sock *sk)
{
	sk->sk_data_ready(sk);
}

void xenoxide_sock_write_space(struct sock *sk)
{
	sk->sk_write_space(sk);
}

void xenoxide_sock_state_change(struct sock *sk)
{
	sk->sk_state_change(sk);
}

bool xenoxide_sock_has_sleeper(const struct sock *sk)
{
	guard(rcu)();
	return skwq_has_sleeper(rcu_dereference(sk->sk_wq));
}

bool xenoxide_sock_fasync(const struct sock *sk)
{
	return sock_flag(sk, SOCK_FASYNC);
}

bool xenoxide_sock_zerocopy(const struct sock *sk)
{
	return sock_flag(sk, SOCK_ZEROCOPY);
}

u16 xenoxide_sock_type(const struct sock *sk)
{
	return sk->sk_type;
}

u8 xenoxide_sock_state(const struct sock *sk)
{
	return READ_ONCE(sk->sk_state);
}

void xenoxide_sock_set_state(struct sock *sk, u8 state)
{
	WRITE_ONCE(sk->sk_state, state);
}

void xenoxide_sock_set_error(struct sock *sk, int error)
{
	WRITE_ONCE(sk->sk_err, error);
}

int xenoxide_sock_receive_low_water(const struct sock *sk)
{
	return READ_ONCE(sk->sk_rcvlowat);
}

bool xenoxide_sock_acceptq_is_full(const struct sock *sk)
{
	return sk_acceptq_is_full(sk);
}

struct socket *xenoxide_sock_socket(struct sock *sk)
{
	return sk->sk_socket;
}

int xenoxide_sock_queue(struct sock *sk, struct sk_buff *skb)
{
	return sock_queue_rcv_skb(sk, skb);
}

struct sk_buff *xenoxide_alloc_skb(unsigned int size, gfp_t gfp)
{
	return alloc_skb(size, gfp);
}

unsigned int xenoxide_skb_len(const struct sk_buff *skb)
{
	return skb->len;
}

void xenoxide_kfree_skb(struct sk_buff *skb)
{
	kfree_skb(skb);
}

struct sockaddr_vm *xenoxide_vsock_local(struct vsock_sock *vsk)
{
	return &vsk->local_addr;
}

struct sockaddr_vm *xenoxide_vsock_remote(struct vsock_sock *vsk)
{
	return &vsk->remote_addr;
}

const struct vsock_transport *xenoxide_vsock_transport(const struct vsock_sock *vsk)
{
	return vsk->transport;
}

void **xenoxide_vsock_trans(struct vsock_sock *vsk)
{
	return &vsk->trans;
}

u64 xenoxide_vsock_buffer_size(const struct vsock_sock *vsk)
{
	return vsk->buffer_size;
}

bool xenoxide_vsock_global(struct vsock_sock *vsk)
{
	return vsock_net_mode_global(vsk);
}

void xenoxide_vsock_add_peer_shutdown(struct vsock_sock *vsk, u32 how)
{
	atomic_or(how, (atomic_t *)&vsk->peer_shutdown);
}
