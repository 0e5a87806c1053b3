/* SPDX-License-Identifier: BSD-3-Clause */
/* table-scan IMAGE...: the least that can be done to know the map of a plain
 * QCOW2, or of all the layers of a chain.  Read its L1 table, then each L2
 * table, look at each entry once, and count where runs of clusters that
 * follow each other in the file end.  Nothing is checked, and what layers
 * are to each other is not looked at.  The images have no compressed
 * clusters or snapshots.
 */

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define OFFSET_MASK UINT64_C (0x00fffffffffffe00)

struct header {
  uint32_t magic, version;
  uint64_t backing_offset;
  uint32_t backing_size, cluster_bits;
  uint64_t size;
  uint32_t crypt, l1_size;
  uint64_t l1_offset;
};

struct scan {
  uint64_t cluster_size;
  uint64_t expected;            /* entry that would go on with the run */
  uint64_t runs, data_clusters;
};

static void *
read_all (int fd, size_t count, uint64_t offset, void *buffer)
{
  if (buffer == NULL || pread (fd, buffer, count, offset) != (ssize_t) count)
    give_up ("table", errno ? strerror (errno) : "cut short");
  return buffer;
}

static void
scan_table (struct scan *scan, const uint64_t *table, size_t count)
{
  uint64_t host;
  size_t i;

  for (i = 0; i < count; ++i) {
    host = be64toh (table[i]) & OFFSET_MASK;
    scan->data_clusters += host != 0;
    scan->runs += host != scan->expected;
    scan->expected = host ? host + scan->cluster_size : 0;
  }
}

static void
scan_image (struct scan *scan, const char *path)
{
  struct header header;
  uint64_t *l1, *l2;
  uint32_t l1_size, i;
  int fd = open (path, O_RDONLY | O_CLOEXEC);

  if (fd == -1)
    give_up (path, strerror (errno));
  read_all (fd, sizeof header, 0, &header);
  scan->cluster_size = UINT64_C (1) << be32toh (header.cluster_bits);
  l1_size = be32toh (header.l1_size);
  l1 = malloc (l1_size * sizeof *l1);
  l2 = malloc (scan->cluster_size);
  read_all (fd, l1_size * sizeof *l1, be64toh (header.l1_offset), l1);
  for (i = 0; i < l1_size; ++i) {
    const uint64_t offset = be64toh (l1[i]) & OFFSET_MASK;

    if (offset == 0)
      continue;
    read_all (fd, scan->cluster_size, offset, l2);
    scan_table (scan, l2, scan->cluster_size / sizeof *l2);
  }
  close (fd);
  free (l1);
  free (l2);
}

int
main (int argc, char *argv[])
{
  struct scan scan = { .expected = UINT64_MAX };
  double began = now (), cpu = cpu_seconds ();
  int i;

  if (argc < 2)
    give_up ("usage", "table-scan IMAGE...");
  for (i = 1; i < argc; ++i)
    scan_image (&scan, argv[i]);
  printf ("wall %.6f\ncpu %.6f\n", now () - began, cpu_seconds () - cpu);
  printf ("pieces %" PRIu64 "\ndata %" PRIu64 "\n", scan.runs,
          scan.data_clusters * scan.cluster_size);
  return 0;
}
