# The users of NATS with their public keys, which are no secrets. Make each key on the machine that uses it, with
# `homelab-deploy nats keygen FILE`, and put here what it prints. These are examples: nobody has their seeds.
{
  admin = "UAYMHMBTEPDROBAVG62VRDIGX7QSLYLSXYR4ZIL53JMO2IFGYSLT6GGT";
  operators.kai = "UDESLCOLSWCB2FMNZDPVA2DZHDOG36E3PXZGLDBHROAFCB2ILCTYXKIJ";
  ci.gitea = "UBZ4HVIDEUJ3RV4SXH6MNWVN57YCOH7JCCAC2CZBDNF4SP6WZR2ZDADA";
  # Whatever runs `homelab-deploy update`: here the timer on nix-cache01.
  updaters.timer = "UAPIVIAROLREQIA45JGJ42PA4JGS7WLSPKD3YMFPKFZRBRDSRHMXRHPQ";
  builders.nix-cache01 = "UCWXLKO66CLHDCCYFAGXX6UJEVRTSUL5LNGDTDOUMR6UBYBL4GO7UZ2Z";
}
