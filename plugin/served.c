/* SPDX-License-Identifier: BSD-3-Clause */
/* The views that connections have open, each of them once. */

#include "served.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct served *all;

static void
free_served (const struct serving *serving, struct served *served)
{
  vdisk_output_close (served->output);
  if (served->vdisk != serving->vdisk)
    vdisk_close (served->vdisk);
  free (served->name);
  free (served);
}

static struct served *
make (const struct serving *serving, const char *name,
      struct vdisk_error *error)
{
  struct served *served = calloc (1, sizeof *served);

  if (served == NULL || (served->name = strdup (name)) == NULL) {
    free (served);
    error->errnum = ENOMEM;
    snprintf (error->message, sizeof error->message, "out of memory");
    return NULL;
  }
  served->vdisk = *name == '\0' ? serving->vdisk
    : vdisk_open_view (serving->vdisk, name, error);
  if (served->vdisk && serving->as_format)
    served->output = vdisk_output_open (served->vdisk, serving->as_format,
                                        serving->as_options, error);
  if (served->vdisk == NULL || (serving->as_format && !served->output)) {
    free_served (serving, served);
    return NULL;
  }
  return served;
}

struct served *
served_open (const struct serving *serving, const char *name,
             struct vdisk_error *error)
{
  struct served *served;

  if (serving->is_only ||
      strcmp (name, vdisk_view_name (serving->vdisk)) == 0)
    name = "";
  pthread_mutex_lock (&lock);
  for (served = all; served; served = served->next)
    if (strcmp (served->name, name) == 0)
      break;
  if (served == NULL) {
    served = make (serving, name, error);
    if (served) {
      served->next = all;
      all = served;
    }
  }
  if (served)
    served->users++;
  pthread_mutex_unlock (&lock);
  return served;
}

void
served_close (const struct serving *serving, struct served *served)
{
  struct served **p;

  pthread_mutex_lock (&lock);
  if (--served->users > 0)
    served = NULL;
  else {
    for (p = &all; *p != served; p = &(*p)->next)
      ;
    *p = served->next;
  }
  pthread_mutex_unlock (&lock);
  if (served)
    free_served (serving, served);
}
