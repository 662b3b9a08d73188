/* SPDX-License-Identifier: BSD-2-Clause */
/* Real files and folders. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/os/real_int.h"

struct kl_file {
	int fd;
};

int kl_real_file_open(struct kl_os *os, const char *path, int flags,
		      struct kl_file **file_out)
{
	int how = flags & KL_FILE_READ ? O_RDWR : O_WRONLY;
	if (!(flags & KL_FILE_WRITE))
		how = O_RDONLY;
	how |= O_CLOEXEC;
	how |= flags & KL_FILE_CREATE ? O_CREAT : 0;
	how |= flags & KL_FILE_TRUNCATE ? O_TRUNC : 0;
	how |= flags & KL_FILE_EXCLUSIVE ? O_EXCL : 0;
	struct kl_file *file = calloc(1, sizeof(*file));
	if (file == NULL)
		return -ENOMEM;
	file->fd = open(path, how, 0666);
	if (file->fd < 0) {
		int rc = -errno;
		free(file);
		return rc;
	}
	*file_out = file;
	return 0;
}

void kl_real_file_close(struct kl_file *file)
{
	close(file->fd);
	free(file);
}

ssize_t kl_real_file_pread(struct kl_file *file, void *p, size_t n, int64_t offset)
{
	ssize_t got;
	do
		got = pread(file->fd, p, n, offset);
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno == ESPIPE) { /* a pipe is read in order anyway */
		do
			got = read(file->fd, p, n);
		while (got < 0 && errno == EINTR);
	}
	return got < 0 ? -errno : got;
}

ssize_t kl_real_file_pwrite(struct kl_file *file, const void *p, size_t n,
			    int64_t offset)
{
	ssize_t put;
	do
		put = pwrite(file->fd, p, n, offset);
	while (put < 0 && errno == EINTR);
	return put < 0 ? -errno : put;
}

int kl_real_file_sync(struct kl_file *file)
{
	return fdatasync(file->fd) == 0 ? 0 : -errno;
}

int64_t kl_real_file_size(struct kl_file *file)
{
	struct stat st;
	return fstat(file->fd, &st) == 0 ? st.st_size : -errno;
}

int kl_real_file_others(struct kl_file *file)
{
	struct stat st;
	if (fstat(file->fd, &st) != 0)
		return -errno;
	return (st.st_mode & (S_IROTH | S_IWOTH)) != 0;
}

int kl_real_file_truncate(struct kl_file *file, int64_t size)
{
	return ftruncate(file->fd, size) == 0 ? 0 : -errno;
}

int kl_real_file_lock(struct kl_file *file)
{
	return flock(file->fd, LOCK_EX | LOCK_NB) == 0 ? 0 : -errno;
}

int kl_real_file_rename(struct kl_os *os, const char *from, const char *to)
{
	return rename(from, to) == 0 ? 0 : -errno;
}

int kl_real_file_unlink(struct kl_os *os, const char *path)
{
	return unlink(path) == 0 ? 0 : -errno;
}

int kl_real_dir_make(struct kl_os *os, const char *path)
{
	return mkdir(path, 0777) == 0 ? 0 : -errno;
}

int kl_real_dir_sync(struct kl_os *os, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int rc = fsync(fd) == 0 ? 0 : -errno;
	close(fd);
	return rc;
}

int kl_real_dir_list(struct kl_os *os, const char *path,
		     int (*fn)(void *arg, const char *name), void *arg)
{
	DIR *dir = opendir(path);
	if (dir == NULL)
		return -errno;
	int rc = 0;
	struct dirent *entry;
	while (rc == 0 && (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rc = fn(arg, entry->d_name);
	closedir(dir);
	return rc;
}
