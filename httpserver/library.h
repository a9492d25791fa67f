/* SPDX-License-Identifier: BSD-2-Clause */
/* The answers that libmicrohttpd gives by itself, to requests that it cannot read, as problem details like
 * all others. */
#pragma once

#include <microhttpd.h>

/* MHD_queue_response for answers of our own, with the header fields that every answer has. */
enum MHD_Result library_queue_response(struct MHD_Connection *connection, unsigned status,
				       struct MHD_Response *response);
