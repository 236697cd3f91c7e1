// SPDX-License-Identifier: MIT
#include "lattice/app/internal/inspector.hpp"

#include <optional>
#include <utility>

#include "lattice/app/upgrade_check.hpp"
#include "lattice/reactive/inspect_text.hpp"

namespace lattice::app::internal {

using net::Exchange;
using net::Response;

namespace {

bool is_loopback_address(std::string_view address) {
  if (address.starts_with("::ffff:")) address.remove_prefix(7);
  return address.starts_with("127.") || address == "::1";
}

Response answer(std::string_view media_type, std::shared_ptr<const std::string> body) {
  Response response;
  response.headers = {
      {"Content-Type", std::string(media_type)},
      {"Cache-Control", "no-store"},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; "
       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}};
  response.body = std::move(body);
  return response;
}

Response json(std::string body) {
  return answer("application/json", std::make_shared<const std::string>(std::move(body)));
}

std::string sessions_json(const SessionTable& table) {
  inspect::JsonWriter json;
  json.begin_object();
  json.begin_array("sessions");
  for (const SessionTable::Row& row : table.rows()) {
    json.begin_object();
    json.text("id", row.host->id());
    json.text("path", row.host->path());
    json.text("agent", row.host->user_agent());
    json.boolean("live", row.is_live);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  return json.take();
}

void serve_session(const std::shared_ptr<Exchange>& exchange, std::string_view id,
                   const SessionTable& table) {
  const std::shared_ptr<SessionHost> host = table.find(std::string(id));
  if (host == nullptr) return exchange->respond(Response::text(404, "this session has ended"));
  const bool is_asked = host->inspect(exchange->head().query, [exchange](std::string view) {
    if (view.empty()) return exchange->respond(Response::text(404, "this session has ended"));
    exchange->respond(json(std::move(view)));
  });
  if (!is_asked) exchange->respond(Response::text(503, "this session is busy"));
}

}  // namespace

bool may_inspect(const net::RequestHead& head) {
  if (!is_loopback_address(head.remote_address)) return false;
  const auto host = parse_authority(head.header("Host"), head.is_secure ? 443 : 80);
  if (!host || !is_loopback_name(host->host)) return false;
  for (std::string_view proxied : {"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "Via"}) {
    if (!head.header(proxied).empty()) return false;
  }
  // "none": the address bar. Programs that are no browsers send nothing.
  const std::string_view site = head.header("Sec-Fetch-Site");
  return site.empty() || site == "same-origin" || site == "none";
}

Inspector::Inspector(std::string page, std::string script) {
  if (page.empty()) return;
  page_ = std::make_shared<const std::string>(std::move(page));
  script_ = std::make_shared<const std::string>(std::move(script));
}

bool Inspector::serve(const std::shared_ptr<Exchange>& exchange, std::string_view path,
                      const SessionTable& table) const {
  if (page_ == nullptr || !path.starts_with(kInspectorPath)) return false;
  if (!may_inspect(exchange->head())) return false;
  path.remove_prefix(kInspectorPath.size());
  constexpr std::string_view kSession = "/session/";
  if (path.empty() || path == "/") {
    exchange->respond(answer("text/html; charset=utf-8", page_));
  } else if (path == "/inspector.js") {
    exchange->respond(answer("text/javascript; charset=utf-8", script_));
  } else if (path == "/sessions") {
    exchange->respond(json(sessions_json(table)));
  } else if (path.starts_with(kSession)) {
    serve_session(exchange, path.substr(kSession.size()), table);
  } else {
    return false;
  }
  return true;
}

}  // namespace lattice::app::internal
