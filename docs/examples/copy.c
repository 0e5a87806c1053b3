/* SPDX-License-Identifier: BSD-3-Clause */
/* Copy a disk to a new raw file, and only what is data: copy IMAGE FILE */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vdisk.h>

#define PIECE (1 << 20)

struct copy {
  struct vdisk *vdisk;
  int fd;
  char *buffer;
  struct vdisk_error error;     /* what stopped it */
};

static int
write_all (int fd, const char *from, size_t count, uint64_t offset)
{
  while (count > 0) {
    const ssize_t n = pwrite (fd, from, count, offset);

    if (n == -1)
      return -1;
    from += n;
    count -= n;
    offset += n;
  }
  return 0;
}

/* The callback of vdisk_extents may read.  What is neither data nor packed
 * reads as zeros, and so does what was never written to the file. */
static int
copy_extent (void *opaque, const struct vdisk_extent *extent)
{
  struct copy *copy = opaque;
  uint64_t offset = extent->offset;
  const uint64_t end = offset + extent->length;
  size_t n;

  if (extent->kind != VDISK_DATA && extent->kind != VDISK_PACKED)
    return 0;
  for (; offset < end; offset += n) {
    n = end - offset < PIECE ? end - offset : PIECE;
    if (vdisk_pread (copy->vdisk, copy->buffer, n, offset,
                     &copy->error) == -1)
      return -1;
    if (write_all (copy->fd, copy->buffer, n, offset) == -1) {
      copy->error.errnum = errno;
      snprintf (copy->error.message, sizeof copy->error.message,
                "writing: %s", strerror (errno));
      return -1;
    }
  }
  return 0;
}

static int
copy_disk (struct copy *copy)
{
  const uint64_t size = vdisk_size (copy->vdisk);
  struct vdisk_error error;

  if (ftruncate (copy->fd, size) == -1) {
    perror ("ftruncate");
    return -1;
  }
  if (vdisk_extents (copy->vdisk, 0, size, copy_extent, copy,
                     &error) == -1) {
    fprintf (stderr, "%s\n", error.message);
    return -1;
  }
  if (copy->error.errnum != 0) {
    fprintf (stderr, "%s\n", copy->error.message);
    return -1;
  }
  return 0;
}

int
main (int argc, char *argv[])
{
  struct copy copy = { .buffer = malloc (PIECE) };
  struct vdisk_error error;
  int r = -1;

  if (argc != 3 || copy.buffer == NULL) {
    fprintf (stderr, "usage: copy IMAGE FILE\n");
    return EXIT_FAILURE;
  }
  copy.vdisk = vdisk_open (argv[1], NULL, &error);
  if (copy.vdisk == NULL)
    fprintf (stderr, "%s\n", error.message);
  else {
    copy.fd = open (argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (copy.fd == -1)
      perror (argv[2]);
    else {
      r = copy_disk (&copy);
      if (close (copy.fd) == -1) {
        perror (argv[2]);
        r = -1;
      }
    }
  }
  vdisk_close (copy.vdisk);
  free (copy.buffer);
  return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
