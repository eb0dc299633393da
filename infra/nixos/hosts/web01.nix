# A host to try things on first.
{ ... }:
{
  homelab.host = {
    tier = "test";
    priority = "low";
    role = "web";
  };

  services.nginx.enable = true;
}
