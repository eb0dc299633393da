// `homelab-deploy order show`: what is signed, word for word but safe to print.
import type { OpenedEnvelope } from "../../../signing/open-envelope.ts";
import type { Style } from "../style.ts";

export function renderOrder({ order, key, statement: stated }: OpenedEnvelope, style: Style): string {
  const allowed = Object.entries(order.allow ?? {})
    .filter(([, is]) => is)
    .map(([name]) => name);
  const timeouts = Object.entries(order.timeouts ?? {}).map(([name, seconds]) => `${name} ${seconds} s`);
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["Order", `${order.id}, ${order.kind} (${order.action})`],
    ["Host", `${order.repo}/${order.host}`],
    ["System", order.path],
    ["Serial", String(order.serial)],
    ["Issued", `${order.issuedAt}, valid until ${order.notAfter}`],
    ["Expects", "running" in order.expects ? order.expects.running : "whatever runs"],
    ["Allows", allowed.length === 0 ? undefined : allowed.join(", ")],
    ["Reboot", order.reboot],
    ["Timeouts", timeouts.length === 0 ? undefined : timeouts.join(", ")],
    ["Rollout", order.rollout === undefined ? undefined : `${order.rollout.id}, wave ${order.rollout.wave}`],
    ["Withdraws", order.withdraws],
    ["By", `${order.by}, signed with ${key}`],
    ["Reason", order.reason],
    ...(stated === undefined
      ? [["Statement", "none"] as const]
      : ([
          ["Statement", `${stated.statement.repo}/${stated.statement.host} is ${stated.statement.path}`],
          ["", `commit ${stated.statement.commit} of ${stated.statement.branch}, ${stated.statement.system}`],
          ["", `${stated.statement.narHash}, ${stated.statement.at}`],
          ["", `signed with ${stated.key}`],
        ] as const)),
  ];
  return rows
    .flatMap(([label, value]) => (value === undefined ? [] : [`${label.padEnd(10)} ${style.clean(value)}\n`]))
    .join("");
}
