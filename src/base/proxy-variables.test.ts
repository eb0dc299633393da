import { expect, test } from "vitest";
import { proxyVariables } from "./proxy-variables.ts";

test("gives each variable in both cases", () => {
  expect(proxyVariables({ HTTP_PROXY: "http://proxy:3128", no_proxy: "lan", PATH: "/bin" })).toEqual({
    http_proxy: "http://proxy:3128",
    HTTP_PROXY: "http://proxy:3128",
    no_proxy: "lan",
    NO_PROXY: "lan",
  });
});

test("the small one wins, also when it is empty", () => {
  const environment = {
    https_proxy: "http://small",
    HTTPS_PROXY: "http://large",
    all_proxy: "",
    ALL_PROXY: "x",
  };
  expect(proxyVariables(environment)).toEqual({
    https_proxy: "http://small",
    HTTPS_PROXY: "http://small",
    all_proxy: "",
    ALL_PROXY: "",
  });
  expect(proxyVariables({})).toEqual({});
});
