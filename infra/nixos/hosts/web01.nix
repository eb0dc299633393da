# A host to try things on first.
{ ... }:
{
  homelab.host = {
    tier = "test";
    priority = "low";
    role = "web";
  };

  services.nginx.enable = true;

  services.homelab-deploy.listener = {
    wave = 0;
    healthChecks = {
      nginx.unit = "nginx.service";
      page.http = "http://127.0.0.1/";
    };
  };
}
