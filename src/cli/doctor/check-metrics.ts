// Where metrics go: an address that is free, or a builder's already, and a pushgateway that is there.
import { once } from "node:events";
import { explainCertificateError } from "../../base/certificate-error.ts";
import { causesOf, hasCode, messageOf } from "../../base/errors.ts";
import { http } from "../../base/node-http.ts";
import type { MetricsSettings } from "../../config/metrics-schema.ts";
import { parseListen } from "../../metrics/metrics-server.ts";
import { refusalOf } from "../../redact/refusal-line.ts";
import { findingOf, ok, warning, wrong, type Finding } from "./finding.ts";

const timeoutMs = 5000;

export async function checkMetrics(
  { listen, pushgateway }: MetricsSettings,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const patient = (): AbortSignal => AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  return [
    ...(listen === undefined ? [] : [await checkListen(listen, fetch, patient())]),
    ...(pushgateway === undefined ? [] : [await checkPushgateway(pushgateway, fetch, patient())]),
  ];
}

async function checkListen(
  listen: string,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<Finding> {
  const check = "metrics address";
  const server = http.createServer().listen(parseListen(listen));
  try {
    await once(server, "listening");
    server.close();
    return ok(check, `${listen} is free`);
  } catch (error) {
    if (hasCode(error, "EADDRINUSE")) {
      if (await isBuilder(listen, fetch, signal)) return ok(check, `a builder serves ${listen}`);
      const advice = "choose another port in metrics.listen, or stop the program that has it: ss -ltnp";
      return wrong(check, `another program listens on ${listen}`, advice);
    }
    return wrong(
      check,
      `this machine cannot listen on ${listen}: ${messageOf(error)}`,
      hasCode(error, "EACCES")
        ? "choose a port above 1023 in metrics.listen"
        : "set metrics.listen to an address that this machine has, such as 127.0.0.1:9480",
    );
  }
}

const isBuilder = async (
  listen: string,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<boolean> =>
  fetch(`http://${listen}/metrics`, { signal })
    .then(async (response) => (await response.text()).includes("homelab_deploy_build_info"))
    .catch(() => false);

/** It says whether it is ready (https://github.com/prometheus/pushgateway, `/-/ready`); nothing is pushed. */
async function checkPushgateway(
  url: string,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<Finding> {
  const check = "pushgateway";
  try {
    const response = await fetch(`${url.replace(/\/+$/, "")}/-/ready`, { signal, redirect: "error" });
    if (response.ok) return ok(check, `${url} is ready`);
    const message = `${url} answers ${await refusalOf(response, [])} when it is asked whether it is ready`;
    const advice = "metrics.pushgateway is the URL that /metrics/job/… comes behind";
    return response.status === 404 ? warning(check, message, advice) : wrong(check, message, advice);
  } catch (error) {
    const untrusted = explainCertificateError(error, url);
    if (untrusted !== undefined) return findingOf(check, untrusted);
    const reason = [messageOf(error), ...causesOf(error)].join(": ");
    const advice =
      "start it, or correct metrics.pushgateway; without it the metrics are lost, and builds continue";
    return wrong(check, `${url} cannot be reached: ${reason}`, advice);
  }
}
