/* SPDX-License-Identifier: BSD-3-Clause */
/* nbd-walk URI [BYTES]: time the block status of a disk, or of so much of
 * its start, and until the first answer.
 */

#include <inttypes.h>

#include "bench.h"
#include "disk-map.h"

int
main (int argc, char *argv[])
{
  struct nbd_handle *nbd = new_handle ();
  struct disk_map map;
  uint64_t limit = UINT64_MAX;

  if (argc == 3)
    limit = strtoull (argv[2], NULL, 10);
  else if (argc != 2)
    give_up ("usage", "nbd-walk URI [BYTES]");
  if (nbd_connect_uri (nbd, argv[1]) == -1)
    give_up (argv[1], nbd_get_error ());
  walk_disk (nbd, limit, NULL, NULL, &map);
  printf ("wall %.6f\nfirst %.6f\n", map.total, map.first);
  printf ("extents %" PRIu64 "\npieces %" PRIu64 "\ndata %" PRIu64 "\n",
          map.extents, map.pieces, map.data);
  nbd_close (nbd);
  return 0;
}
