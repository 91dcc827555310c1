import { hkdfSync } from 'node:crypto'

/** Seconds after which the next nonce is given out. */
const STEP_SECONDS = 60
/** How many steps either side of now are accepted: clocks differ, and requests take their time. */
const WINDOW = 2

/**
 * Nonces of DPoP proofs for the API (RFC 9449, 9), made from the time so that every replica knows them.
 * They are those of oidc-provider: applications keep one nonce for each origin, and ours is one.
 */
export class DpopNonces {
  readonly #secret: Buffer

  /** @param secret 32 bytes, the `nonceSecret` of the authorization server */
  constructor(secret: Buffer) {
    this.#secret = secret
  }

  next(now: Date): string {
    return this.#nonce(stepOf(now) + 1)
  }

  accepts(nonce: unknown, now: Date): boolean {
    const step = stepOf(now)
    const steps = Array.from({ length: 2 * WINDOW + 1 }, (_, index) => step - WINDOW + index)
    return steps.some((each) => this.#nonce(each) === nonce)
  }

  #nonce(step: number): string {
    const salt = Buffer.alloc(8)
    salt.writeUInt32BE(step, 4)
    return Buffer.from(hkdfSync('sha256', this.#secret, salt, 'DPoP', 32)).toString('base64url')
  }
}

function stepOf(now: Date): number {
  return Math.floor(now.getTime() / 1000 / STEP_SECONDS)
}
