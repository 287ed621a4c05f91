// The example server and forged proofs (RFC 9449): one HTTP request a case. stdin has the issuer and
// the servers' origins as JSON; the test `senders.rs` starts them.

import { end } from './cases.mjs';
import './proofs/form.mjs';
import './proofs/once.mjs';
import './proofs/address.mjs';
import './proofs/token.mjs';
import './proofs/nonce.mjs';
import './proofs/connection.mjs';

end();
