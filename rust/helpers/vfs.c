// SPDX-License-Identifier: GPL-2.0
/* Only linked into modules that have a file system. */

#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/posix_acl_xattr.h>
#include <linux/shmem_fs.h>
#include <linux/statfs.h>
#include <linux/uio.h>

#include "helpers.h"

void **xenoxide_fs_private(struct fs_context *fc)
{
	return &fc->fs_private;
}

void **xenoxide_fs_info(struct fs_context *fc)
{
	return &fc->s_fs_info;
}

const u8 *xenoxide_fs_source(const struct fs_context *fc)
{
	return fc->source;
}

void xenoxide_fs_set_operations(struct fs_context *fc,
				const struct fs_context_operations *ops)
{
	fc->ops = ops;
}

void xenoxide_fs_stay_read_only(struct fs_context *fc)
{
	fc->sb_flags |= SB_RDONLY;
}

const u8 *xenoxide_fs_key(const struct fs_parameter *parameter)
{
	return parameter->key;
}

bool xenoxide_fs_is_string(const struct fs_parameter *parameter)
{
	return parameter->type == fs_value_is_string;
}

const u8 *xenoxide_fs_string(const struct fs_parameter *parameter)
{
	return parameter->string;
}

void xenoxide_fs_error(struct fs_context *fc, const void *arguments)
{
	errorfc(fc, "%pA", arguments);
}

void xenoxide_super_set_uuid(struct super_block *sb, const u8 *uuid)
{
	super_set_uuid(sb, uuid, sizeof(uuid_t));
}

void xenoxide_statfs_set_id(struct kstatfs *buf, struct super_block *sb)
{
	buf->f_fsid = uuid_to_fsid(sb->s_uuid.b);
}

bool xenoxide_inode_is_new(struct inode *inode)
{
	return inode_state_read_once(inode) & I_NEW;
}

void xenoxide_inode_set_uid(struct inode *inode, u32 uid)
{
	i_uid_write(inode, uid);
}

void xenoxide_inode_set_gid(struct inode *inode, u32 gid)
{
	i_gid_write(inode, gid);
}

void xenoxide_inode_set_times(struct inode *inode, s64 seconds, u32 nanoseconds)
{
	inode_set_mtime_to_ts(inode,
		inode_set_atime_to_ts(inode,
			inode_set_ctime(inode, seconds, nanoseconds)));
}

void xenoxide_inode_set_link(struct inode *inode, char *target)
{
	inode->i_link = target;
}

char *xenoxide_inode_link(struct inode *inode)
{
	return inode->i_link;
}

void xenoxide_inode_set_fop(struct inode *inode,
			    const struct file_operations *fop)
{
	inode->i_fop = fop;
}

const u8 *xenoxide_dentry_name(const struct dentry *dentry)
{
	return dentry->d_name.name;
}

u32 xenoxide_dentry_name_len(const struct dentry *dentry)
{
	return dentry->d_name.len;
}

bool xenoxide_dir_emit_dots(struct file *file, struct dir_context *context)
{
	return dir_emit_dots(file, context);
}

bool xenoxide_dir_emit(struct dir_context *context, const u8 *name, int len,
		       u64 number, u32 kind)
{
	return dir_emit(context, name, len, number, kind);
}

const char *xenoxide_acl_name(int type)
{
	return posix_acl_xattr_name(type);
}

struct posix_acl *xenoxide_acl_from_xattr(const void *value, size_t size)
{
	return posix_acl_from_xattr(&init_user_ns, value, size);
}

void xenoxide_iter_truncate(struct iov_iter *iter, u64 count)
{
	iov_iter_truncate(iter, count);
}

void xenoxide_iter_reexpand(struct iov_iter *iter, size_t count)
{
	iov_iter_reexpand(iter, count);
}

struct inode *xenoxide_folio_inode(struct folio *folio)
{
	return folio->mapping->host;
}

unsigned long xenoxide_folio_index(struct folio *folio)
{
	return folio->index;
}

void *xenoxide_folio_map(struct folio *folio)
{
	return kmap_local_folio(folio, 0);
}

void xenoxide_folio_unmap(void *address)
{
	kunmap_local(address);
}

bool xenoxide_mapping_executes(const struct vm_area_desc *mapping)
{
	return vma_desc_test(mapping, VMA_EXEC_BIT);
}

void xenoxide_mapping_never_executes(struct vm_area_desc *mapping)
{
	vma_desc_clear_flags(mapping, VMA_MAYEXEC_BIT);
}

void xenoxide_mapping_has_frames(struct vm_area_desc *mapping)
{
	vma_desc_set_flags(mapping, VMA_MIXEDMAP_BIT);
}

unsigned long xenoxide_mapping_pages(const struct vm_area_struct *vma)
{
	return vma_pages(vma);
}

/*
 * What vmf_insert_mixed() does for one page, for as many that have frames one after the
 * other, from an entry of a locked page table on. Where there is something nothing is
 * done.
 */
void xenoxide_mapping_insert(struct vm_area_struct *vma, unsigned long address,
			     pte_t *entry, unsigned long number,
			     unsigned long count)
{
	pte_t value = pte_mkspecial(pfn_pte(number, vma->vm_page_prot));

	for (; count; count--, entry++, address += PAGE_SIZE) {
		if (pte_none(ptep_get(entry)))
			set_pte_at(vma->vm_mm, address, entry, value);
		value = pte_next_pfn(value);
	}
}

unsigned long xenoxide_mapping_index(const struct vm_area_struct *vma,
				     unsigned long address)
{
	return linear_page_index(vma, address);
}

struct file *xenoxide_memory_file(s64 size)
{
	return shmem_kernel_file_setup("pageshare", size,
				       mk_vma_flags(VMA_NORESERVE_BIT));
}

/*
 * Returns the folio with a page of a file in memory, locked, or NULL if there is none
 * and it shall not be made. If there is no memory for it nobody is warned, or killed.
 */
int xenoxide_memory_folio(struct file *file, unsigned long index, bool make,
			  struct folio **folio)
{
	struct address_space *mapping = file->f_mapping;
	gfp_t gfp = mapping_gfp_mask(mapping);
	int error;

	mapping_set_gfp_mask(mapping, gfp | __GFP_NORETRY | __GFP_NOWARN);
	error = shmem_get_folio(mapping->host, index, 0, folio,
				make ? SGP_CACHE : SGP_READ);
	mapping_set_gfp_mask(mapping, gfp);
	return error;
}

unsigned long xenoxide_folio_pages(struct folio *folio)
{
	return folio_nr_pages(folio);
}

void xenoxide_memory_folio_write(struct folio *folio, unsigned long nth,
				 const void *content)
{
	memcpy_to_page(folio_page(folio, nth), 0, content, PAGE_SIZE);
}

void xenoxide_memory_folio_end(struct folio *folio)
{
	folio_mark_dirty(folio);
	folio_unlock(folio);
	folio_put(folio);
}

bool xenoxide_memory_file_is_empty(struct file *file)
{
	return mapping_empty(file->f_mapping);
}
