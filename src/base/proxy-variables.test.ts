import { expect, test } from "vitest";
import { nodeProxies, proxyVariables } from "./proxy-variables.ts";

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

test("Node gets what it can use", () => {
  expect(nodeProxies({})).toBeUndefined();
  expect(nodeProxies({ no_proxy: "lan" })).toBeUndefined();
  expect(nodeProxies({ ALL_PROXY: "socks5://proxy:1080" })).toBeUndefined();
  expect(nodeProxies({ http_proxy: "" })).toBeUndefined();
  expect(nodeProxies({ all_proxy: "proxy:3128", no_proxy: "lan, .home,10.0.0.1" })).toEqual({
    http_proxy: "http://proxy:3128",
    https_proxy: "http://proxy:3128",
    no_proxy: "localhost,127.0.0.1,::1,lan,.lan,.home,10.0.0.1",
  });
  expect(nodeProxies({ HTTPS_PROXY: "https://proxy" })).toEqual({
    https_proxy: "https://proxy",
    no_proxy: "localhost,127.0.0.1,::1",
  });
});
