import { expect, test } from "vitest";
import { HomelabError } from "../../base/errors.ts";
import { systemClock } from "../../base/clock.ts";
import { decideRequest, type BuildSpecification } from "./decide-request.ts";

const decide = (
  hosts: readonly string[],
  options: BuildSpecification = {},
  environment: Record<string, string> = {},
) => decideRequest(hosts, options, { environment, clock: systemClock });

test.each<[readonly string[], BuildSpecification, object, object]>([
  [["web01"], {}, { repo: "any", host: "web01" }, { priority: "interactive" }],
  [["web01"], { repo: "nixos" }, { repo: "nixos", host: "web01" }, {}],
  [["nixos/web01"], {}, { repo: "nixos", host: "web01" }, {}],
  [["a", "b"], { repo: "nixos" }, { repo: "nixos", host: "all" }, { hosts: ["a", "b"] }],
  [["nixos/a", "nixos/b"], {}, { repo: "nixos", host: "all" }, { hosts: ["a", "b"] }],
  [["web*"], {}, { repo: "any", host: "all" }, { hosts: ["web*"], priority: "interactive" }],
  [["nixos/web*"], {}, { repo: "nixos", host: "all" }, { hosts: ["web*"] }],
  [["web*"], { exclude: ["web03"] }, { host: "all" }, { hosts: ["web*", "!web03"] }],
  [[], { all: true, exclude: ["web0?", "db"] }, { host: "all" }, { hosts: ["!web0?", "!db"] }],
  [[], { all: true }, { repo: "any", host: "all" }, { priority: "batch" }],
  [[], { all: true, priority: "interactive" }, { repo: "any", host: "all" }, { priority: "interactive" }],
  [[], { all: true, rev: "A".repeat(40) }, { repo: "any", host: "all" }, { rev: "a".repeat(40) }],
])("%j with %j", (hosts, options, target, request) => {
  const asked = decide(hosts, options);
  expect(asked.target).toMatchObject(target);
  expect(asked.request).toMatchObject(request);
  expect(asked.request.id).toMatch(/^[0-9A-Z]{26}$/);
});

test.each<[readonly string[], BuildSpecification, RegExp]>([
  [[], {}, /no hosts are named/],
  [["a"], { all: true }, /exclude each other/],
  [["a"], { branch: "x", rev: "a".repeat(40) }, /--branch and --rev/],
  [["one/a", "two/b"], {}, /different repos/],
  [["one/a"], { repo: "two" }, /not in the repo two/],
  [["a/b/c"], {}, /not a valid host name/],
  [["-a"], {}, /not a valid host name/],
  [["!a"], {}, /not a valid host name/],
  [["web[1"], {}, /not a valid host name/],
  [["web1"], { exclude: ["a b"] }, /not a valid host name/],
  [[], { exclude: ["web03"] }, /no hosts are named/],
  [["a"], { repo: "../x" }, /not a valid repo name/],
  [["a"], { branch: "--upload-pack=x" }, /not a valid branch name/],
  [["a"], { rev: "HEAD" }, /not a valid commit name/],
])("%j with %j is refused", (hosts, options, message) => {
  expect(() => decide(hosts, options)).toThrow(HomelabError);
  expect(() => decide(hosts, options)).toThrow(message);
});

test("in CI the trigger says so", () => {
  expect(decide(["a"], {}, { CI: "true" }).request.trigger).toBe("ci");
  expect(decide(["a"], {}, {}).request.trigger).toBe("manual");
});
