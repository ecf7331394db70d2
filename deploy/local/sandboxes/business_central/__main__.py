from deploy.local.sandboxes.business_central.application import build
from deploy.local.sandboxes.serving import main

main("business_central", build)
