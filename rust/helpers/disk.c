// SPDX-License-Identifier: GPL-2.0
/* Only linked into modules that have disks. */

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/uio.h>

#include "helpers.h"

struct gendisk *xenoxide_alloc_disk(struct queue_limits *limits)
{
	return blk_alloc_disk(limits, NUMA_NO_NODE);
}

bool xenoxide_bio_is_read(const struct bio *bio)
{
	return bio_op(bio) == REQ_OP_READ;
}

struct gendisk *xenoxide_bio_disk(const struct bio *bio)
{
	return bio->bi_bdev->bd_disk;
}

u64 xenoxide_bio_sector(const struct bio *bio)
{
	return bio->bi_iter.bi_sector;
}

/* There may be fewer stretches of memory than pages: the size ends them. */
void xenoxide_bio_iter(struct bio *bio, struct iov_iter *iter)
{
	const struct bio_vec *vec = __bvec_iter_bvec(bio->bi_io_vec,
						     bio->bi_iter);

	iov_iter_bvec(iter, ITER_DEST, vec, bio_segments(bio),
		      bio->bi_iter.bi_size);
	iter->iov_offset = mp_bvec_iter_offset(bio->bi_io_vec, bio->bi_iter) -
			   vec->bv_offset;
}

void xenoxide_bio_end_acct(struct bio *bio, unsigned long start)
{
	bio_end_io_acct(bio, start);
}
