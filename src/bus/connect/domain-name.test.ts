import { expect, test } from "vitest";
import { requireDomainName, requireInboxPrefix } from "./domain-name.ts";

test.each([undefined, "_INBOX", "_INBOX_operator", "_INBOX.kai", "_INBOX_builder-b1"])(
  "%j can begin the subjects of answers",
  (prefix) => {
    expect(() => requireInboxPrefix(prefix)).not.toThrow();
  },
);

test.each(["", "a b", "_INBOX.*", "_INBOX.>", "_INBOX.", "_INBOX\r\nPUB x", "x".repeat(300)])(
  "%j can begin no subject, and trying again does not help",
  (text) => {
    const refusal = expect.objectContaining({ kind: "usage", code: "BAD_NAME" }) as Error;
    expect(() => requireInboxPrefix(text)).toThrow(refusal);
    expect(() => requireDomainName(text)).toThrow(refusal);
  },
);
