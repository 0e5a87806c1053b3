/* SPDX-License-Identifier: BSD-3-Clause */
/* Looking through /proc for the holder of a lock.
 *
 * /proc/locks has -1 for the process of a lock that belongs to an open
 * file.  But each descriptor of that file has a line for it in its fdinfo:
 *
 *   lock:  1: OFDLCK  ADVISORY  READ -1 fe:01:393225 100 101
 *
 * with the device, the inode, and the first and last byte (or EOF).  No
 * file is looked at but those of /proc, so that one on a server that is
 * gone cannot hold us up.
 */

#include "util/lock-holder.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* A search takes some microseconds for each descriptor on the machine: at
 * most so many are looked at. */
#define DESCRIPTORS_MAX 65536

struct search {
  unsigned major, minor;
  uint64_t inode;
  uint64_t byte;
  int own_fd;                   /* of this process: not the one meant */
  unsigned left;                /* descriptors to look at */
};

/* Read a small file as text.  False if it cannot be read. */
static bool
read_text (int directory, const char *name, char *text, size_t size)
{
  int fd = openat (directory, name, O_RDONLY | O_CLOEXEC);
  ssize_t n;

  if (fd == -1)
    return false;
  n = read (fd, text, size - 1);
  close (fd);
  text[n > 0 ? n : 0] = '\0';
  return n > 0;
}

/* Does a line of fdinfo tell of a lock on the byte? */
static bool
line_is_it (const struct search *search, const char *line)
{
  unsigned major, minor;
  uint64_t inode, first, last;
  char end[24];

  if (sscanf (line, "lock: %*s %*s %*s %*s %*s %x:%x:%" SCNu64 " %" SCNu64
              " %23s", &major, &minor, &inode, &first, end) != 5)
    return false;
  if (sscanf (end, "%" SCNu64, &last) != 1)
    last = UINT64_MAX;          /* "EOF" */
  return major == search->major && minor == search->minor &&
    inode == search->inode && first <= search->byte && search->byte <= last;
}

static bool
info_has_it (const struct search *search, char *info)
{
  char *line, *rest = NULL;

  for (line = strtok_r (info, "\n", &rest); line;
       line = strtok_r (NULL, "\n", &rest))
    if (line_is_it (search, line))
      return true;
  return false;
}

static bool
is_number (const char *name)
{
  return *name && name[strspn (name, "0123456789")] == '\0';
}

/* Is it the descriptor that asks?  It may hold the lock as well. */
static bool
is_own (const struct search *search, const char *pid, const char *fd)
{
  return atoi (fd) == search->own_fd && atoi (pid) == getpid ();
}

/* Does the process whose directory this is hold the lock? */
static bool
process_has_it (struct search *search, int process, const char *pid)
{
  int fd = openat (process, "fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *directory = fd == -1 ? NULL : fdopendir (fd);
  const struct dirent *entry;
  bool found = false;
  char info[4096];

  if (directory == NULL) {
    if (fd != -1)
      close (fd);
    return false;
  }
  while (!found && search->left > 0 && (entry = readdir (directory)))
    if (is_number (entry->d_name) &&
        !is_own (search, pid, entry->d_name)) {
      search->left--;
      found = read_text (fd, entry->d_name, info, sizeof info) &&
        info_has_it (search, info);
    }
  closedir (directory);
  return found;
}

/* Name the process, whose directory may be gone again. */
static void
name_process (int process, const char *pid, char text[LOCK_HOLDER_MAX])
{
  char name[32];

  if (process == -1 || !read_text (process, "comm", name, sizeof name)) {
    snprintf (text, LOCK_HOLDER_MAX, "process %.20s", pid);
    return;
  }
  name[strcspn (name, "\n")] = '\0';
  snprintf (text, LOCK_HOLDER_MAX, "process %.20s, %s", pid, name);
}

static bool
search_processes (struct search *search, DIR *proc,
                  char text[LOCK_HOLDER_MAX])
{
  const struct dirent *entry;
  bool found = false;

  while (!found && search->left > 0 && (entry = readdir (proc)))
    if (is_number (entry->d_name)) {
      int process = openat (dirfd (proc), entry->d_name,
                            O_PATH | O_DIRECTORY | O_CLOEXEC);

      if (process == -1)
        continue;
      found = process_has_it (search, process, entry->d_name);
      if (found)
        name_process (process, entry->d_name, text);
      close (process);
    }
  return found;
}

bool
lock_holder_find (int fd, off_t byte, pid_t pid, char text[LOCK_HOLDER_MAX])
{
  struct search search = {
    .byte = byte, .own_fd = fd, .left = DESCRIPTORS_MAX,
  };
  DIR *proc = opendir ("/proc");
  bool found = false;
  struct stat st;

  if (proc && pid > 0) {
    char number[24];
    int process;

    snprintf (number, sizeof number, "%d", (int) pid);
    process = openat (dirfd (proc), number,
                      O_PATH | O_DIRECTORY | O_CLOEXEC);
    name_process (process, number, text);
    if (process != -1)
      close (process);
    found = true;
  }
  else if (proc && fstat (fd, &st) == 0) {
    search.major = major (st.st_dev);
    search.minor = minor (st.st_dev);
    search.inode = st.st_ino;
    found = search_processes (&search, proc, text);
  }
  if (proc)
    closedir (proc);
  return found;
}
