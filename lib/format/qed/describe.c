/* SPDX-License-Identifier: BSD-3-Clause */
/* What only QED images say of themselves, under the keys of 'qemu-img
 * info': the flag of an image that was not closed, and the size of tables.
 */

#include "describe.h"
#include "format/qed/disk.h"
#include "format/qed/driver.h"

int
qed_describe (struct layer *layer, struct json_t *document,
              struct vdisk_error *error)
{
  const struct qed *qed = layer->state;
  const bool dirty = qed->features & QED_F_NEED_CHECK;
  json_t *data;

  if (describe_set (document, "dirty-flag", json_boolean (dirty),
                    error) == -1)
    return -1;
  data = json_pack ("{s:b, s:I}", "need-check", dirty, "table-size",
                    (json_int_t) (qed->table_entries * QED_ENTRY_SIZE));
  return describe_set (document, "format-specific",
                       json_pack ("{s:s, s:o}", "type", "qed",
                                  "data", data), error);
}
