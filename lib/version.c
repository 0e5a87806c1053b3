/* SPDX-License-Identifier: BSD-3-Clause */
/* What this build of the library is and can do. */

#include "vdisk.h"

#include "format/names.h"
#include "util/nbd-connection.h"
#include "util/zstd-codec.h"

const char *
vdisk_version (void)
{
  return VDISK_VERSION;
}

const char *const *
vdisk_formats (void)
{
  return format_names ();
}

const char *const *
vdisk_compression_libraries (void)
{
  static const char *const names[] = { "libdeflate", "libzstd", NULL };
  static const char *const without_zstd[] = { "libdeflate", NULL };

  return zstd_is_built_in ? names : without_zstd;
}

int
vdisk_has_nbd (void)
{
  return nbd_is_built_in;
}
