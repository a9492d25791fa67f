/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "api.h"
#include "app.h"
#include "http.h"

#define GRACE_DEFAULT 10.0
#define GRACE_MAX     3600.0

void api_app(struct http_request *r)
{
	http_reply_json(r, 200, app_json(r->agent->app));
}

/* Body {"grace_seconds": N}, optional. False when the answer is given already. */
static bool take_grace(struct http_request *r, double *grace)
{
	json_t *v = json_object_get(r->body, "grace_seconds");

	*grace = v ? json_number_value(v) : GRACE_DEFAULT;
	if ((r->body && !json_is_object(r->body)) || (v && !json_is_number(v)) || *grace < 0 || *grace > GRACE_MAX) {
		http_problem(r, 400, "invalid_argument", "grace_seconds must be a number from 0 to %g.", GRACE_MAX);
		return false;
	}
	return true;
}

static void answer(struct http_request *r, int err)
{
	switch (err) {
	case 0:
		http_reply_json(r, 202, app_json(r->agent->app));
		break;
	case -EALREADY:
		http_problem(r, 409, "already_running", "The application runs already.");
		break;
	case -ESRCH:
		http_problem(r, 409, "not_running", "The application does not run.");
		break;
	default:
		http_problem(r, 500, "start_failed", "The application cannot be started: %s.", strerror(-err));
	}
}

void api_app_start(struct http_request *r)
{
	answer(r, app_start(r->agent->app));
}

void api_app_stop(struct http_request *r)
{
	double grace;

	if (take_grace(r, &grace))
		answer(r, app_stop(r->agent->app, grace));
}

void api_app_restart(struct http_request *r)
{
	double grace;

	if (take_grace(r, &grace))
		answer(r, app_restart(r->agent->app, grace));
}
