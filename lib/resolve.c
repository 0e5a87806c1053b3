/* SPDX-License-Identifier: BSD-3-Clause */
/* Following references by the caller's own resolver, which hands over an
 * open file or callbacks, or by reference_open.
 */

#include "resolve.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "options.h"
#include "reference.h"
#include "source/callbacks.h"
#include "source/file.h"
#include "source/source.h"
#include "util/error.h"

void
vdisk_options_set_resolver (struct vdisk_options *options,
                            vdisk_resolve_callback *callback, void *opaque)
{
  options->resolve_callback = callback;
  options->resolve_opaque = opaque;
}

static struct source *
open_file_reference (void *opaque, const struct source *from,
                     const char *role, const char *name,
                     const struct vdisk_options *options,
                     struct vdisk_error *error)
{
  (void) opaque;
  return reference_open (from, role, name, options, error);
}

/* Make a source of what the caller has found for a reference.  The name of
 * the storage, if it has none, is the reference's. */
static struct source *
source_of_storage (const struct vdisk_storage *storage,
                   const struct vdisk_reference *reference,
                   const struct vdisk_options *options,
                   struct vdisk_error *error)
{
  const char *name = storage->name ? storage->name : reference->name;

  if (storage->callbacks && storage->fd == -1)
    return source_callbacks (storage->callbacks, storage->opaque, name,
                             error);
  if (storage->fd != -1 && storage->callbacks == NULL)
    return source_file_take (storage->fd, name, options->force_share, error);
  if (storage->fd != -1) {
    close (storage->fd);
    source_close (source_callbacks (storage->callbacks, storage->opaque, name,
                                    NULL));
  }
  error_record (error, EINVAL, "%s: %s '%s': the resolver gives %s",
                reference->from, reference->role, reference->name,
                storage->callbacks ? "a descriptor and callbacks"
                : "neither a descriptor nor callbacks");
  return NULL;
}

static struct source *
ask_caller (void *opaque, const struct source *from, const char *role,
            const char *name, const struct vdisk_options *options,
            struct vdisk_error *error)
{
  const struct vdisk_reference reference = {
    .from = from->name, .role = role, .name = name,
  };
  struct vdisk_storage storage = { .fd = -1 };
  int r;

  (void) opaque;
  r = options->resolve_callback (options->resolve_opaque, &reference,
                                 &storage);
  if (r != 0) {
    const int errnum = callbacks_errnum (r);

    error_record (error, errnum, "%s: %s '%s': the resolver refuses: %s",
                  from->name, role, name, strerror (errnum));
    return NULL;
  }
  return source_of_storage (&storage, &reference, options, error);
}

const struct resolver *
resolver_for (const struct vdisk_options *options)
{
  static const struct resolver files = { .open = open_file_reference };
  static const struct resolver caller = { .open = ask_caller };

  return options->resolve_callback ? &caller : &files;
}
