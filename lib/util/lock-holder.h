/* SPDX-License-Identifier: BSD-3-Clause */
/* Who has locked a file, for messages. */

#ifndef VDISK_LOCK_HOLDER_H
#define VDISK_LOCK_HOLDER_H

#include <stdbool.h>
#include <sys/types.h>

#define LOCK_HOLDER_MAX 64

/* Find a process that holds a lock on a byte of the file 'fd', other than by
 * 'fd' itself, and call it "process 1234, qemu-nbd".  'pid' is what F_OFD_GETLK said: -1
 * where the lock belongs to an open file and not to a process, as QEMU's
 * do.  False if it cannot be found out: the kernel shows the locks of other
 * users' processes only to root, and those of other PID namespaces to
 * nobody. */
bool lock_holder_find (int fd, off_t byte, pid_t pid,
                       char text[LOCK_HOLDER_MAX]);

#endif /* VDISK_LOCK_HOLDER_H */
