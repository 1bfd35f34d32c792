// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Self-check of the guest: does Landlock work on the file systems that the
 * tests use?
 *
 * usage: landlock-check DIR...
 *
 * In each DIR: allow reading below DIR, restrict a child, drop the inode
 * caches, then the child must be able to read a file in DIR and must not be
 * able to read one outside. On a file system which makes a new inode for each
 * look-up (9p), the first read is wrongly denied.
 *
 * Static and without headers newer than any supported distribution's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYS_LANDLOCK_CREATE_RULESET 444
#define SYS_LANDLOCK_ADD_RULE 445
#define SYS_LANDLOCK_RESTRICT_SELF 446
#define RULE_PATH_BENEATH 1
#define ACCESS_FS_READ_FILE (1ULL << 2)

struct ruleset_attr {
	uint64_t handled_access_fs;
};

struct path_beneath_attr {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

enum { CHECK_OK, CHECK_SETUP, CHECK_ALLOWED_DENIED, CHECK_DENIED_ALLOWED };

static int setup_failed(const char *what)
{
	fprintf(stderr, "landlock-check: %s: %s\n", what, strerror(errno));
	return CHECK_SETUP;
}

static int restrict_to(const char *dir)
{
	const struct ruleset_attr attr = { .handled_access_fs = ACCESS_FS_READ_FILE };
	struct path_beneath_attr rule = { .allowed_access = ACCESS_FS_READ_FILE };
	int ruleset;

	ruleset = syscall(SYS_LANDLOCK_CREATE_RULESET, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return setup_failed("landlock_create_ruleset");
	rule.parent_fd = open(dir, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return setup_failed(dir);
	if (syscall(SYS_LANDLOCK_ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0))
		return setup_failed("landlock_add_rule");
	close(rule.parent_fd);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return setup_failed("PR_SET_NO_NEW_PRIVS");
	if (syscall(SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0))
		return setup_failed("landlock_restrict_self");
	return CHECK_OK;
}

static int confined_child(const char *dir, const char *file)
{
	int fd, ret;

	ret = restrict_to(dir);
	if (ret)
		return ret;
	fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "2", 1) != 1)
		return setup_failed("drop_caches");
	close(fd);
	if (open(file, O_RDONLY | O_CLOEXEC) < 0)
		return CHECK_ALLOWED_DENIED;
	if (open("/proc/self/status", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
		return CHECK_DENIED_ALLOWED;
	return CHECK_OK;
}

static int check(const char *dir)
{
	char file[PATH_MAX];
	int fd, status;
	pid_t pid;

	snprintf(file, sizeof(file), "%s/.landlock-check", dir);
	fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return setup_failed(file);
	close(fd);
	pid = fork();
	if (pid == 0)
		_exit(confined_child(dir, file));
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return setup_failed("fork");
	unlink(file);
	if (!WIFEXITED(status))
		return CHECK_SETUP;
	if (WEXITSTATUS(status) == CHECK_ALLOWED_DENIED)
		fprintf(stderr, "landlock-check: %s: Landlock denies what a rule allows on this file system\n", dir);
	if (WEXITSTATUS(status) == CHECK_DENIED_ALLOWED)
		fprintf(stderr, "landlock-check: %s: Landlock does not deny what no rule allows\n", dir);
	return WEXITSTATUS(status);
}

int main(int argc, char *argv[])
{
	int ret = CHECK_OK;

	for (int i = 1; i < argc; i++) {
		const int one = check(argv[i]);

		if (one)
			ret = one;
	}
	return ret;
}
