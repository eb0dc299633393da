import { HomelabError } from "../../base/errors.ts";

/** The name of a JetStream domain becomes a token of subjects. @throws HomelabError `usage` `BAD_NAME` */
export function requireDomainName(domain: string | undefined): void {
  if (domain === undefined || /^[A-Za-z0-9_-]{1,64}$/.test(domain)) return;
  throw new HomelabError("usage", `${JSON.stringify(domain.slice(0, 80))} cannot be a JetStream domain`, {
    code: "BAD_NAME",
    hint: "name the `domain` of the `jetstream` block of the server that has the streams",
  });
}

/** The prefix of an inbox begins subjects, so its tokens are names. @throws HomelabError `usage` `BAD_NAME` */
export function requireInboxPrefix(prefix: string | undefined): void {
  if (prefix === undefined || /^[A-Za-z0-9_-]{1,200}(?:\.[A-Za-z0-9_-]{1,200}){0,7}$/.test(prefix)) return;
  throw new HomelabError("usage", `${JSON.stringify(prefix.slice(0, 80))} cannot be the prefix of an inbox`, {
    code: "BAD_NAME",
    hint: "it is _INBOX_ and a name, such as _INBOX_operator: `homelab-deploy nats config` prints that of each key",
  });
}
