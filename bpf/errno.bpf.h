/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Error numbers as the kernel has them, and what else there is no header for. */
#ifndef LLEXEC_ERRNO_BPF_H
#define LLEXEC_ERRNO_BPF_H

#define ENOENT 2
#define E2BIG 7
#define EAGAIN 11
#define ENOMEM 12
#define ENAMETOOLONG 36

/*
 * The functions that are not static take no kernel pointers: the verifier checks each of them once and on its own, not
 * for each way to get there. Without that, the loops would multiply.
 */
#define __global __attribute__((noinline))

#endif /* LLEXEC_ERRNO_BPF_H */
