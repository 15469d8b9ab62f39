package pay_test

import "github.com/moongate-hub/moongate/gate/pay/sandbox"

type clock = sandbox.Clock
