// SPDX-License-Identifier: GPL-2.0

#include <linux/suspend.h>

#include "helpers.h"

int xenoxide_register_pm_notifier(struct notifier_block *block)
{
	return register_pm_notifier(block);
}

int xenoxide_unregister_pm_notifier(struct notifier_block *block)
{
	return unregister_pm_notifier(block);
}
