/* SPDX-License-Identifier: BSD-3-Clause */
/* nbdkit-vdisk-plugin: serve a virtual disk image, read-only, and tell
 * clients by block status what of it is data.
 *
 * This is glue: what an image is, libvdisk knows.  The image is opened
 * once, before nbdkit says it is ready, and shared by all connections.
 * Callbacks are in the order of their lives.
 */

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "served.h"
#include "since.h"
#include "vdisk.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

/* More extents than this nbdkit does not put in one reply. */
#define EXTENTS_MAX (1 << 20)

/* Bounds for the preferred block size: NBD's, and what nbdcopy asks for at a
 * time by itself.  Servers have a buffer of that size for each of many
 * threads. */
#define PREFERRED_MIN 512
#define PREFERRED_MAX (256 << 10)

#define AS_OPTIONS_MAX 32

/* Bytes: clients cannot ask for longer names. */
#define NBD_NAME_SIZE_MAX 4096

/* nbdkit -D vdisk.slow=MILLISECONDS sets it. */
extern int vdisk_debug_slow;
int vdisk_debug_slow;

static char *filename;          /* or NBD URI */
static struct vdisk_options *options;

/* The one view that is served; NULL: all of them, by their names. */
static char *export_view;

/* What is served is the disk, or the file that it would be in another
 * format. */
static char *as_format;         /* NULL: the disk */
static char *as_options[AS_OPTIONS_MAX + 1];
static size_t as_option_count;

static struct serving serving;
static struct served *usual;    /* what no name means, open all the time */

/* nbdkit knows where errors go (--log), and nothing between them and debug
 * messages. */
static void
warn (void *opaque, const char *message)
{
  (void) opaque;
  nbdkit_error ("warning: %s", message);
}

static void
debug (void *opaque, const char *message)
{
  (void) opaque;
  nbdkit_debug ("%s", message);
}

static void
vdisk_load (void)
{
  options = vdisk_options_new ();
  if (options == NULL) {
    nbdkit_error ("out of memory");
    exit (EXIT_FAILURE);
  }
  vdisk_options_set_warning_callback (options, warn, NULL);

  /* Large lists of intervals come and go in each of many threads.  Without
   * this glibc would raise the size from which it asks the kernel for
   * memory, and gives it back, and keep most of it in the threads' heaps.
   * Of a VHD of 2 GiB with every other sector 8 MB stay after 'nbdinfo
   * --map', where 57 would, and 20 after nbdcopy (64), of at most 45 (75);
   * the time is the same. */
  mallopt (M_MMAP_THRESHOLD, 128 << 10);
}

static void
vdisk_unload (void)
{
  if (usual)
    served_close (&serving, usual);
  vdisk_close (serving.vdisk);
  vdisk_options_free (options);
  since_unload ();
  free (export_view);
  while (as_option_count > 0)
    free (as_options[--as_option_count]);
  free (as_format);
  free (filename);
}

static void
vdisk_dump_plugin (void)
{
  const char *const *names;

  printf ("vdisk_version=%s\n", vdisk_version ());
  for (names = vdisk_formats (); *names; ++names)
    printf ("vdisk_format_%s=yes\n", *names);
  for (names = vdisk_compression_libraries (); *names; ++names)
    printf ("vdisk_%s=yes\n", *names);
  for (names = vdisk_output_formats (); *names; ++names)
    printf ("vdisk_as_%s=yes\n", *names);
  printf ("vdisk_nbd=%s\n", vdisk_has_nbd () ? "yes" : "no");
}

static int
set_text (char **text, const char *value)
{
  free (*text);
  *text = strdup (value);
  if (*text == NULL)
    nbdkit_error ("out of memory");
  return *text ? 0 : -1;
}

/* Take what is up to a comma, or the end, and step over it; two commas are
 * one that is part of it. */
static char *
take_option (const char **value)
{
  char *option = malloc (strlen (*value) + 1), *to = option;

  if (option == NULL)
    return NULL;
  for (; **value; ++*value) {
    if (**value == ',' && *++*value != ',')
      break;
    *to++ = **value;
  }
  *to = '\0';
  return option;
}

/* NAME=VALUE, or several with commas between them. */
static int
add_as_options (const char *value)
{
  while (*value) {
    if (as_option_count == AS_OPTIONS_MAX) {
      nbdkit_error ("as-options: there are more than %d", AS_OPTIONS_MAX);
      return -1;
    }
    as_options[as_option_count] = take_option (&value);
    if (as_options[as_option_count] == NULL) {
      nbdkit_error ("out of memory");
      return -1;
    }
    as_option_count++;
  }
  return 0;
}

static int
vdisk_config (const char *key, const char *value)
{
  struct vdisk_error error;
  const int taken = since_config (key, value);

  if (taken != 0)
    return taken == 1 ? 0 : -1;
  if (strcmp (key, "file") == 0) {
    if (filename) {
      nbdkit_error ("only one file can be served");
      return -1;
    }
    /* What is no file is opened, and so explained, as it was written. */
    if (!vdisk_is_uri (value) && access (value, F_OK) == 0)
      filename = nbdkit_absolute_path (value);
    else if ((filename = strdup (value)) == NULL)
      nbdkit_error ("out of memory");
    return filename ? 0 : -1;
  }
  if (strcmp (key, "as") == 0)
    return set_text (&as_format, value);
  if (strcmp (key, "export") == 0)
    return set_text (&export_view, value);
  if (strcmp (key, "as-options") == 0)
    return add_as_options (value);
  if (vdisk_options_set (options, key, value, &error) == -1) {
    nbdkit_error ("%s", error.message);
    return -1;
  }
  return 0;
}

static int
vdisk_config_complete (void)
{
  if (filename == NULL) {
    nbdkit_error ("the image to serve is missing: nbdkit vdisk "
                  "[file=]PATH");
    return -1;
  }
  if (as_format == NULL && as_option_count > 0) {
    nbdkit_error ("as-options needs as=FORMAT");
    return -1;
  }
  return since_config_complete ();
}

#define CONFIG_HELP \
  "[file=]<PATH>|<URI>    (required) The image to serve: a file, or what an\n" \
  "                       NBD server serves, which is raw unless format says\n" \
  "                       otherwise.\n" \
  "export=<VIEW>          Serve this view of it alone: active, snapshot/NAME,\n" \
  "                       bitmap/NAME, layer/N, diff/VIEW..VIEW (default: all\n" \
  "                       of them, by the names of exports).\n" \
  "since=<VIEW>|<FILE>    Serve only what has changed since that view, or since\n" \
  "                       another image.\n" \
  "since-format=<FORMAT>  The format of that image (default: auto).\n" \
  "compare=true           Compare bytes where structures differ.\n" \
  "as=<FORMAT>            Serve not the disk, but the file that it would be\n" \
  "                       converted to: %s.\n" \
  "as-options=<NAME>=<VALUE>[,...]\n" \
  "                       Options of that format; ,, is a comma in one.\n" \
  "format=auto|vhd|qcow2|qed|raw\n" \
  "                       Its format (default: auto; raw is never guessed).\n" \
  "backing-dir=<DIR>      References may also lead into this directory;\n" \
  "                       can be repeated; / allows all of them.\n" \
  "size=auto|current|chs  Which size field of a VHD counts (default: auto).\n" \
  "sector-bitmaps=honour|ignore\n" \
  "                       Sector bitmaps of dynamic VHDs (default: honour).\n" \
  "host-holes=auto|off    Look for holes of the image file (default: auto).\n" \
  "cache-size=<SIZE>      Memory for all caches (default: 16M).\n" \
  "force-share=true       Serve an image even if it is being written.\n" \
  "timeout=<TIME>         How long an NBD server may take for a request, in\n" \
  "                       seconds, or with a suffix ms, m or h.\n" \
  "layer=<FILE>|none      What lies under the image, whatever it records;\n" \
  "                       can be repeated, down to the base; none: nothing.\n" \
  "layer-format=<FORMAT>  The format of the layer that was named last.\n" \
  "ignore-parent-id=true  Take a parent with another UUID, and warn.\n" \
  "parent-case=exact|ignore\n" \
  "                       Upper and lower case in the names that images\n" \
  "                       record (default: exact)."

#define FORMATS_MAX 256         /* bytes of their names */

static char config_help[sizeof CONFIG_HELP + FORMATS_MAX];

/* nbdkit takes a string: it is there once the plugin is loaded. */
static void __attribute__ ((constructor))
make_config_help (void)
{
  const char *const *name = vdisk_output_formats ();
  char formats[FORMATS_MAX] = "";
  size_t used = 0;

  for (; *name && used < sizeof formats; ++name)
    used += snprintf (formats + used, sizeof formats - used, "%s%s",
                      used > 0 ? ", " : "", *name);
  snprintf (config_help, sizeof config_help, CONFIG_HELP, formats);
}

/* Open the image, or the one view or difference of it that is to be
 * served. */
static struct vdisk *
open_image (struct vdisk_error *error)
{
  struct vdisk *vdisk = vdisk_open (filename, options, error), *shown;

  if (vdisk && export_view) {
    shown = vdisk_open_view (vdisk, export_view, error);
    vdisk_close (vdisk);
    vdisk = shown;
  }
  if (vdisk && since_is_set ()) {
    shown = since_open (vdisk, options, error);
    vdisk_close (vdisk);
    vdisk = shown;
  }
  return vdisk;
}

static int
vdisk_get_ready (void)
{
  struct vdisk_error error;

  vdisk_options_set_debug_callback (options, debug, NULL,
                                    vdisk_debug_slow > 0
                                    ? vdisk_debug_slow : 0);
  serving = (struct serving) {
    .vdisk = open_image (&error), .is_only = export_view || since_is_set (),
    .as_format = as_format,
    .as_options = (const char *const *) as_options,
  };
  if (serving.vdisk == NULL) {
    nbdkit_error ("%s", error.message);
    return -1;
  }
  usual = served_open (&serving, "", &error);
  if (usual == NULL) {
    nbdkit_error ("as=%s: %s", as_format, error.message);
    return -1;
  }
  return 0;
}

/* --- Exports ------------------------------------------------------------ */

/* What a view is, in words. */
static void
describe_view (const struct vdisk_view *view, char *text, size_t size)
{
  switch (view->kind) {
  case VDISK_VIEW_ACTIVE:
    snprintf (text, size, "the disk as it is");
    break;
  case VDISK_VIEW_SNAPSHOT:
    snprintf (text, size, "snapshot %s, %" PRIu64 " bytes", view->id,
              view->size);
    break;
  case VDISK_VIEW_BITMAP:
    snprintf (text, size, "what has changed by a bitmap of granularity %"
              PRIu64, view->granularity);
    break;
  case VDISK_VIEW_LAYER:
    snprintf (text, size, "layer %u alone", view->depth);
    break;
  }
}

/* No view's name says what another image is. */
static const char *
usual_name (void)
{
  return since_is_image () ? "" : vdisk_view_name (serving.vdisk);
}

static int
add_export (void *opaque, const struct vdisk_view *view)
{
  char text[1024];

  if (view->problem || strlen (view->name) > NBD_NAME_SIZE_MAX)
    return 0;
  describe_view (view, text, sizeof text);
  return nbdkit_add_export (opaque, view->name, text) == -1;
}

static int
vdisk_list_exports (int readonly, int is_tls, struct nbdkit_exports *exports)
{
  struct vdisk_error error;

  (void) readonly;
  (void) is_tls;
  if (serving.is_only)
    return nbdkit_add_export (exports, usual_name (), NULL);
  if (vdisk_views (serving.vdisk, add_export, exports, &error) == 0)
    return 0;
  nbdkit_error ("%s", error.message);
  return -1;
}

static const char *
vdisk_default_export (int readonly, int is_tls)
{
  (void) readonly;
  (void) is_tls;
  return nbdkit_strdup_intern (usual_name ());
}

/* --- Connections -------------------------------------------------------- */

static void *
vdisk_open_connection (int readonly)
{
  const char *name = nbdkit_export_name ();
  struct vdisk_error error;
  struct served *served;

  (void) readonly;
  if (name == NULL)
    return NULL;
  served = served_open (&serving, name, &error);
  if (served == NULL) {
    nbdkit_error ("%s", error.message);
    nbdkit_set_error (error.errnum);
  }
  return served;
}

static void
vdisk_close_connection (void *handle)
{
  served_close (&serving, handle);
}

static const char *
vdisk_export_description (void *handle)
{
  const struct served *served = handle;
  unsigned layers = vdisk_layers (served->vdisk);
  char text[1200];

  snprintf (text, sizeof text, "%s disk image, %u layer%s%s%.16s%s%.1000s",
            vdisk_layer_format (served->vdisk, 0), layers,
            layers == 1 ? "" : "s",
            served->output ? ", as " : "", served->output ? as_format : "",
            served == usual && !serving.is_only ? "" : ", ",
            served == usual && !serving.is_only ? ""
            : since_is_image () ? "since another image"
            : vdisk_view_name (served->vdisk));
  return nbdkit_strdup_intern (text);
}

static int64_t
vdisk_get_size (void *handle)
{
  const struct served *served = handle;

  return served->output ? vdisk_output_size (served->output)
    : vdisk_size (served->vdisk);
}

static int
vdisk_block_size (void *handle, uint32_t *minimum, uint32_t *preferred,
                  uint32_t *maximum)
{
  const struct served *served = handle;
  uint32_t block_size = vdisk_preferred_block_size (served->vdisk);

  *minimum = 1;
  *preferred = block_size < PREFERRED_MIN ? PREFERRED_MIN
    : block_size > PREFERRED_MAX ? PREFERRED_MAX : block_size;
  *maximum = UINT32_MAX;
  return 0;
}

static int
vdisk_can_write (void *handle)
{
  (void) handle;
  return 0;
}

static int
vdisk_can_multi_conn (void *handle)
{
  (void) handle;
  return 1;
}

/* There is nothing to flush, but clients and filters (multi-conn) ask
 * whether they may. */
static int
vdisk_can_flush (void *handle)
{
  (void) handle;
  return 1;
}

static int
vdisk_flush (void *handle, uint32_t flags)
{
  (void) handle;
  (void) flags;
  return 0;
}

static int
vdisk_can_extents (void *handle)
{
  (void) handle;
  return 1;
}

static int
vdisk_can_cache (void *handle)
{
  const struct served *served = handle;

  return served->output ? NBDKIT_CACHE_NONE : NBDKIT_CACHE_NATIVE;
}

static int
failed (const struct vdisk_error *error)
{
  nbdkit_error ("%s", error->message);
  /* Of those that the protocol does not have nbdkit makes EINVAL. */
  nbdkit_set_error (error->errnum == ETIMEDOUT ? EIO : error->errnum);
  return -1;
}

static int
vdisk_plugin_pread (void *handle, void *buf, uint32_t count,
                    uint64_t offset, uint32_t flags)
{
  const struct served *served = handle;
  struct vdisk_error error;
  int r;

  (void) flags;
  r = served->output
    ? vdisk_output_pread (served->output, buf, count, offset, &error)
    : vdisk_pread (served->vdisk, buf, count, offset, &error);
  return r == -1 ? failed (&error) : 0;
}

/* Extents on their way to nbdkit.  Neighbours of one type are joined
 * here: that costs less than nbdkit's check of each. */
struct reply {
  struct nbdkit_extents *extents;
  uint64_t offset, end;         /* of the extent not yet added */
  uint32_t type;                /* its flags, which nbdkit numbers as the
                                   protocol does */
  unsigned added;
  bool only_one;
  bool failed;
};

static int
add_pending (struct reply *reply)
{
  if (reply->offset == reply->end)
    return 0;
  if (nbdkit_add_extent (reply->extents, reply->offset,
                         reply->end - reply->offset, reply->type) == -1) {
    reply->failed = true;
    return -1;
  }
  reply->offset = reply->end;
  reply->added++;
  return 0;
}

static int
add_extent (struct reply *reply, uint64_t length, uint32_t type)
{
  if (type != reply->type) {
    if (add_pending (reply) == -1 ||
        (reply->added > 0 && reply->only_one) ||
        reply->added == EXTENTS_MAX)
      return 1;
    reply->type = type;
  }
  reply->end += length;
  return 0;
}

static int
take_extent (void *opaque, const struct vdisk_extent *extent)
{
  return add_extent (opaque, extent->length,
                     vdisk_extent_nbd_flags (extent));
}

/* What has changed is data, even if it is zeros: whoever applies it must write
 * them. */
static int
take_change (void *opaque, const struct vdisk_extent *extent)
{
  return add_extent (opaque, extent->length, extent->kind == VDISK_HOLE
                     ? VDISK_NBD_HOLE | VDISK_NBD_ZERO : 0);
}

static int
take_output_extent (void *opaque, uint64_t offset, uint64_t length,
                    int is_hole)
{
  (void) offset;
  return add_extent (opaque, length,
                     is_hole ? VDISK_NBD_HOLE | VDISK_NBD_ZERO : 0);
}

static int
vdisk_plugin_extents (void *handle, uint32_t count, uint64_t offset,
                      uint32_t flags, struct nbdkit_extents *extents)
{
  struct reply reply = {
    .extents = extents, .offset = offset, .end = offset,
    .only_one = flags & NBDKIT_FLAG_REQ_ONE,
  };
  const struct served *served = handle;
  struct vdisk_error error;
  int r;

  r = served->output
    ? vdisk_output_extents (served->output, offset, count,
                            take_output_extent, &reply, &error)
    : vdisk_extents (served->vdisk, offset, count,
                     vdisk_is_difference (served->vdisk) ? take_change
                     : take_extent, &reply, &error);
  if (reply.failed || add_pending (&reply) == -1)
    return -1;
  /* A reply may be shorter than the request: what comes before damage is
   * told, and the client meets the error when it asks for the rest. */
  if (r == -1 && reply.added == 0)
    return failed (&error);
  return 0;
}

static int
vdisk_cache (void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
  const struct served *served = handle;
  struct vdisk_error error;

  (void) flags;
  if (vdisk_prefetch (served->vdisk, offset, count, &error) == -1)
    return failed (&error);
  return 0;
}

static struct nbdkit_plugin plugin = {
  .name               = "vdisk",
  .longname           = "nbdkit vdisk plugin",
  .version            = VDISK_VERSION,
  .description        = "Serve VHD, QCOW2, QED and raw disk images, "
                        "knowing which bytes hold data",
  .load               = vdisk_load,
  .unload             = vdisk_unload,
  .dump_plugin        = vdisk_dump_plugin,
  .config             = vdisk_config,
  .config_complete    = vdisk_config_complete,
  .config_help        = config_help,
  .magic_config_key   = "file",
  .get_ready          = vdisk_get_ready,
  .list_exports       = vdisk_list_exports,
  .default_export     = vdisk_default_export,
  .open               = vdisk_open_connection,
  .close              = vdisk_close_connection,
  .export_description = vdisk_export_description,
  .get_size           = vdisk_get_size,
  .block_size         = vdisk_block_size,
  .can_write          = vdisk_can_write,
  .can_multi_conn     = vdisk_can_multi_conn,
  .can_flush          = vdisk_can_flush,
  .can_extents        = vdisk_can_extents,
  .can_cache          = vdisk_can_cache,
  .pread              = vdisk_plugin_pread,
  .flush              = vdisk_flush,
  .extents            = vdisk_plugin_extents,
  .cache              = vdisk_cache,
};

/* The macro defines it without declaring it. */
struct nbdkit_plugin *plugin_init (void);

NBDKIT_REGISTER_PLUGIN (plugin)
