/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening what the user names.  Unlike a reference (see reference.h) it needs
 * nobody's leave, and what is neither a file nor an NBD URI is explained.
 */

#include "source/path.h"

#include "options.h"
#include "source/file.h"
#include "source/nbd.h"
#include "url.h"

struct source *
source_open_path (const char *path, const struct vdisk_options *options,
                  struct vdisk_error *error)
{
  if (source_is_nbd_uri (path))
    return source_nbd_open (path, options, error);
  if (url_check (path, options, error) == -1)
    return NULL;
  return source_file_open (path, options->force_share, error);
}
