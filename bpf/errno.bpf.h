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
 * The verifier checks each function that is not static once and on its own, not for each way to get
 * there. Without that, the loops would multiply. Such a function takes numbers, pointers to memory
 * of a known size, which may be NULL for all that the verifier knows, and kernel objects that the
 * caller holds.
 */
#define __global __attribute__((noinline))
#ifndef __arg_trusted
#define __arg_trusted __attribute__((btf_decl_tag("arg:trusted")))
#endif

#endif /* LLEXEC_ERRNO_BPF_H */
