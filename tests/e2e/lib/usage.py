# SPDX-License-Identifier: BSD-3-Clause
"""What the processes that have ended took."""

import resource


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
