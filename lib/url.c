/* SPDX-License-Identifier: BSD-3-Clause */
/* What other programs take in place of a file: URLs, which nbdkit can make
 * NBD URIs of, "nbd:unix:/socket" and the like of QEMU, "-".
 */

#include "url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "options.h"

/* What nbdkit serves it with. */
static const struct {
  const char *scheme, *command;
} schemes[] = {
  { "http", "curl URL" },
  { "https", "curl URL" },
  { "ftp", "curl URL" },
  { "ftps", "curl URL" },
  { "s3", "S3 bucket=BUCKET key=KEY" },
  { "ssh", "ssh host=HOST PATH" },
  { "sftp", "ssh host=HOST PATH" },
};

#define SCHEMES (sizeof schemes / sizeof schemes[0])

/* The length of the scheme before "://", or 0. */
static size_t
scheme_length (const char *name)
{
  const size_t length = strspn (name, "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

  return strncmp (name + length, "://", 3) == 0 ? length : 0;
}

static int
refuse_url (const char *name, size_t length,
            const struct vdisk_options *options, struct vdisk_error *error)
{
  size_t i;

  if (length == 4 && strncasecmp (name, "file", 4) == 0)
    return error_set (error, EINVAL, "%s: file URLs are not read: the path "
                      "alone is, '%s'", name, name + strlen ("file://"));
  for (i = 0; i < SCHEMES; ++i)
    if (strlen (schemes[i].scheme) == length &&
        strncasecmp (name, schemes[i].scheme, length) == 0)
      return error_set (error, EINVAL, "%s: only files and NBD URIs are read "
                        "(nbdkit %s --run '...' makes an NBD URI of it, "
                        "\"$uri\", to be opened with %sformat=FORMAT)", name,
                        schemes[i].command, options_prefix (options));
  return error_set (error, EINVAL, "%s: only files and NBD URIs are read, "
                    "not %.*s URLs", name, (int) length, name);
}

/* "nbd:unix:PATH" and "nbd:HOST:PORT", perhaps with ":exportname=NAME". */
static int
refuse_qemu_nbd (const char *name, struct vdisk_error *error)
{
  static const char mark[] = ":exportname=";
  const char *where = name + strlen ("nbd:");
  const char *export = strstr (where, mark);
  const int length = export ? export - where : (int) strlen (where);

  export = export ? export + strlen (mark) : "";
  if (strncmp (where, "unix:", 5) == 0)
    return error_set (error, EINVAL, "%s: this is QEMU's way to name an NBD "
                      "server: 'nbd+unix:///%s?socket=%.*s' is read", name,
                      export, length - 5, where + 5);
  return error_set (error, EINVAL, "%s: this is QEMU's way to name an NBD "
                    "server: 'nbd://%.*s/%s' is read", name, length, where,
                    export);
}

int
url_check (const char *name, const struct vdisk_options *options,
           struct vdisk_error *error)
{
  const size_t length = scheme_length (name);

  if (access (name, F_OK) == 0)
    return 0;
  if (strcmp (name, "-") == 0)
    return error_set (error, EINVAL, "-: standard input is not read, since "
                      "an image is not read from start to end: it has to be "
                      "a file or an NBD URI");
  if (length > 0)
    return refuse_url (name, length, options, error);
  if (strncmp (name, "nbd:", 4) == 0)
    return refuse_qemu_nbd (name, error);
  if (strncmp (name, "file:", 5) == 0)
    return error_set (error, EINVAL, "%s: the path alone is read, '%s'",
                      name, name + 5);
  if (strncmp (name, "json:", 5) == 0)
    return error_set (error, EINVAL, "%s: QEMU's descriptions of disks are "
                      "not read, only files and NBD URIs", name);
  return 0;
}
