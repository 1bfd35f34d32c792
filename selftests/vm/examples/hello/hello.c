// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdio.h>

int main(void)
{
	return puts("Hello from the build") < 0;
}
