/* SPDX-License-Identifier: BSD-2-Clause */
/* What is refused before a handler sees it: by whom the request comes, and in which form. Both answer a
 * refusal. */
#pragma once

#include "http.h"

bool http_admitted(struct http_request *r);
bool http_negotiated(struct http_request *r, const struct http_route *t);
