/* SPDX-License-Identifier: BSD-3-Clause */
/* A flag, and an eventfd that is written to and that nobody reads. */

#include "cancel.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/error.h"

void
cancel_init (struct cancel *cancel)
{
  atomic_init (&cancel->is_set, false);
  cancel->fd = -1;
}

void
cancel_destroy (struct cancel *cancel)
{
  if (cancel->fd != -1)
    close (cancel->fd);
}

int
cancel_descriptor (struct cancel *cancel, struct vdisk_error *error)
{
  if (cancel->fd == -1)
    cancel->fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (cancel->fd == -1)
    error_record (error, errno, "eventfd: %s", strerror (errno));
  return cancel->fd;
}

int
cancel_check (const struct vdisk_options *options, const char *file,
              struct vdisk_error *error)
{
  if (is_cancelled (options))
    return error_set (error, ECANCELED, "%s: cancelled", file);
  return 0;
}

void
cancel_set (struct cancel *cancel)
{
  static const uint64_t one = 1;
  const int saved = errno;

  atomic_store (&cancel->is_set, true);
  /* Whatever is written, it can be read then; if that is full already too. */
  if (cancel->fd != -1 && write (cancel->fd, &one, sizeof one) == -1)
    errno = saved;
}
