import { expect, test } from "vitest";
import { derivationName } from "./derivation-name.ts";

test.each([
  ["/nix/store/w9sgi6bq7qx3diwagw96bmppim34572a-linux-6.18.4.drv", "linux-6.18.4"],
  ["/srv/store/w9sgi6bq7qx3diwagw96bmppim34572a-a.drv.drv", "a.drv"],
  ["/nix/store/w9sgi6bq7qx3diwagw96bmppim34572a-openssl-3.0.14", "openssl-3.0.14"],
  ["w9sgi6bq7qx3diwagw96bmppim34572a-openssl.drv", "openssl"],
  ["a-name-alone.drv", "a-name-alone"],
])("the name of %s is %s", (drvPath, name) => {
  expect(derivationName(drvPath)).toBe(name);
});
