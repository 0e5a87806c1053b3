/* SPDX-License-Identifier: BSD-3-Clause */
/* The help of 'vdisk export'. */

#include <stdio.h>

#include "export/request.h"
#include "image-options.h"

void
export_request_print_help (void)
{
  size_t i;

  puts ("Usage: vdisk export [OPTION]... SOURCE DEST\n"
        "       vdisk export -O xva [OPTION]... SOURCE=Ref:N... DEST\n"
        "       vdisk export --verify=MANIFEST DEST\n"
        "Write what a disk holds, and only that, in another format.  SOURCE\n"
        "is an image or an NBD URI; DEST a file, - for standard output, or\n"
        "for raw an NBD URI.\n"
        "\n"
        "  -O, --output=FORMAT     the format; see below\n"
        "  --measure               print how many bytes it will have, and\n"
        "                          write nothing\n"
        "  --detect-zeroes         leave out data that is all zeros\n"
        "  --range=A-B             only the bytes A to B of the output\n"
        "  --shard=K/N             only the K-th of N parts, in its place in\n"
        "                          DEST; auto, auto/N: by the number that\n"
        "                          Slurm, GNU parallel, ... give to a job\n"
        "  --resume                go on where the last one broke off\n"
        "  --manifest=FILE         write digests of all parts to FILE\n"
        "  --verify=MANIFEST       check DEST against a manifest\n"
        "  --no-flush              do not wait until it is on the disk\n"
        "  --threads=N             read with at most so many threads\n"
        "  --progress=STYLE        bar, machine, json or none (default: a\n"
        "                          bar if standard error is a terminal)\n"
        "  --help                  this text\n"
        "Sizes are numbers of bytes, or of k or M (powers of 1024).\n"
        "\n"
        "raw:\n"
        "  --prealloc              allocate all of the file's space first\n"
        "qcow2:\n"
        "  --cluster-size=N        512 to 2M (default: 64k)\n"
        "  --refcount-bits=N       1, 2, 4, 8, 16, 32 or 64 (default: 16)\n"
        "  -c                      the same as --compression=zlib\n"
        "  --compression=TYPE      zlib or zstd\n"
        "  --compression-level=N   the library's level\n"
        "  --diff=BASE             only what differs from the disk BASE\n"
        "  --diff-format=FORMAT    the format of BASE\n"
        "  --backing=NAME          record NAME as the backing file\n"
        "  --backing-format=FORMAT and this as its format\n"
        "  --data-file=NAME        write metadata only, for data in the raw\n"
        "                          file NAME\n"
        "  --data-file-raw=NAME    the same, and NAME is to stay valid raw\n"
        "vhd:\n"
        "  --block-size=N          4k to 16M (default: 2M)\n"
        "  --fixed                 a fixed disk, not a dynamic one\n"
        "  --parent=BASE           a differencing disk on the VHD BASE\n"
        "  --uuid=UUID             the disk's UUID (default: random)\n"
        "  --round=N               round the disk's size up to a multiple:\n"
        "                          512 to 1G (for Azure: 1M)\n"
        "xva:\n"
        "  --prefix=Ref:N          of the disk's members; repeat it for\n"
        "                          several disks (default: Ref:0)\n"
        "  --checksum=TYPE         xxhash or sha1 (default: xxhash)\n"
        "  --ova-xml=FILE          the first member\n");
  fputs (IMAGE_OPTIONS_HELP, stdout);
  puts ("\nFormats:");
  for (i = 0; exporters[i]; ++i)
    printf ("  %-12s %s\n", exporters[i]->name, exporters[i]->help);
}
