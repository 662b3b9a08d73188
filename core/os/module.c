/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/os/module.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static int check_writers(const struct stat *st, const char *what, const char *path,
			 const char *name, struct klamm_error *err)
{
	const char *slash = name[0] != '\0' ? "/" : "";
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return kl_error(err, KLAMM_ERR_PLUGIN,
				"%s %s%s%s belongs to user %u, who is neither root nor the "
				"user of this process (%u)",
				what, path, slash, name, (unsigned)st->st_uid,
				(unsigned)geteuid());
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return kl_error(err, KLAMM_ERR_PLUGIN,
				"%s %s%s%s is writable by %s (mode %04o): only root and "
				"its owner may write to it",
				what, path, slash, name,
				st->st_mode & S_IWOTH ? "everyone" : "its group",
				(unsigned)st->st_mode & 07777);
	return 0;
}

static int check_folder(int fd, const char *dir, struct klamm_error *err)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return kl_error(err, KLAMM_ERR_PLUGIN, "cannot examine plugin folder %s: %s",
				dir, strerror(errno));
	return check_writers(&st, "plugin folder", dir, "", err);
}

static int check_file(int fd, const char *dir, const char *file, struct klamm_error *err)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return kl_error(err, KLAMM_ERR_PLUGIN, "cannot examine plugin %s/%s: %s", dir,
				file, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return kl_error(err, KLAMM_ERR_PLUGIN, "plugin %s/%s is not a regular file",
				dir, file);
	return check_writers(&st, "plugin", dir, file, err);
}

static int open_failed(const char *what, const char *dir, const char *file,
		       struct klamm_error *err)
{
	if (errno == ENOENT || errno == ENOTDIR)
		return -ENOENT;
	if (errno == ELOOP)
		return kl_error(err, KLAMM_ERR_PLUGIN,
				"plugin %s/%s is a symbolic link: put the file itself "
				"there, or its folder into plugin.path",
				dir, file);
	return kl_error(err, KLAMM_ERR_PLUGIN, "cannot open %s %s%s%s: %s", what, dir,
			file[0] != '\0' ? "/" : "", file, strerror(errno));
}

#define NAME_SIZE 512

/* The path of an open file, in a spelling that no other file ever has. glibc takes an object
 * for one that it has already if the paths are equal as texts, and the number of a descriptor
 * soon belongs to another file; so the file's identity is spelt as a row of "/" and "./",
 * which say nothing to the kernel. */
static int descriptor_path(int fd, char name[static NAME_SIZE])
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return -errno;
	uint64_t id = (uint64_t)st.st_ino * 0x9e3779b97f4a7c15u ^ (uint64_t)st.st_dev << 32 ^
		      (uint64_t)st.st_ctim.tv_sec * 1000003u ^ (uint64_t)st.st_ctim.tv_nsec;
	size_t n = (size_t)snprintf(name, NAME_SIZE, "/proc/self/fd/");
	for (int bit = 0; bit < 64; bit++) {
		if (id >> bit & 1)
			name[n++] = '.';
		name[n++] = '/';
	}
	snprintf(name + n, NAME_SIZE - n, "%d", fd);
	return 0;
}

/* The dynamic linker's words, with the plugin's own path in the place of the descriptor's. */
static int load_failed(const char *dir, const char *file, const char *name,
		       struct klamm_error *err)
{
	const char *why = dlerror();
	if (why == NULL)
		why = "no reason given";
	size_t len = strlen(name);
	if (strncmp(why, name, len) == 0 && why[len] == ':')
		for (why += len + 1; *why == ' ';)
			why++;
	return kl_error(err, KLAMM_ERR_PLUGIN, "plugin %s/%s cannot be loaded: %s", dir, file,
			why);
}

int kl_module_load(const char *dir, const char *file, void **module_out,
		   struct klamm_error *err)
{
	KL_AUTO(close_fd) int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return open_failed("plugin folder", dir, "", err);
	/* Not waiting for whoever would write to a pipe of that name. */
	KL_AUTO(close_fd) int fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
							       O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return open_failed("plugin", dir, file, err);
	int rc = check_folder(dir_fd, dir, err);
	if (rc == 0)
		rc = check_file(fd, dir, file, err);
	if (rc != 0)
		return rc;
	char name[NAME_SIZE];
	rc = descriptor_path(fd, name);
	if (rc == 0 && access(name, F_OK) != 0)
		rc = -errno;
	if (rc != 0)
		return kl_error(err, KLAMM_ERR_PLUGIN,
				"plugin %s/%s cannot be loaded without /proc: %s", dir, file,
				strerror(-rc));
	*module_out = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	return *module_out != NULL ? 0 : load_failed(dir, file, name, err);
}

const void *kl_module_symbol(void *module, const char *name)
{
	return dlsym(module, name);
}
