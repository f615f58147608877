// SPDX-License-Identifier: GPL-2.0

#include <linux/types.h>
#include <xen/features.h>
#include <xen/xen.h>

#include "helpers.h"

bool xenoxide_xen_domain(void)
{
	return xen_domain();
}

bool xenoxide_xen_pv_domain(void)
{
	return xen_pv_domain();
}

bool xenoxide_xen_pvh_domain(void)
{
	return xen_pvh_domain();
}

bool xenoxide_xen_initial_domain(void)
{
	return xen_initial_domain();
}

bool xenoxide_xen_feature(int flag)
{
	return xen_feature(flag);
}
