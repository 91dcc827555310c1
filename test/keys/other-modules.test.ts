import assert from 'node:assert/strict'
import { HsmKeys, type HsmKeysOptions } from '../../src/keys/hsm-keys.js'
import { describeKeyCustody, type CustodySuite } from '../support/key-custody.js'
import {
  findOpencryptokiToken,
  openNssToken,
  openRemoteToken,
  type OtherToken,
} from '../support/pkcs11-modules.js'
import { WrappedKeyTable } from '../support/wrapped-keys.js'

type Facts = Pick<CustodySuite, 'custody' | 'algorithms' | 'refused' | 'tolerate'>

function suite(facts: Facts, openToken: () => OtherToken | Promise<OtherToken>): CustodySuite {
  const { custody, tolerate } = facts
  const table = new WrappedKeyTable()
  let token: OtherToken | null = null
  let keys: HsmKeys | null = null
  return {
    ...facts,
    async open() {
      token = await openToken()
      const options: HsmKeysOptions = {
        ...{ ...token.options, tolerate, wrappedKeys: table, sessions: 4 },
      }
      keys = await HsmKeys.open(options)
      if (custody === 'wrapped') await keys.makeWrappingKeys()
      return { keys, table, reopen: () => HsmKeys.open(options) }
    },
    async close() {
      await keys?.close()
      await token?.close()
    },
  }
}

describeKeyCustody(
  'Keys in NSS (S117)',
  suite(
    {
      custody: 'resident',
      algorithms: ['p-256', 'p-384', 'p-521', 'rsa-2048'],
      tolerate: ['allowedMechanisms', 'local', 'copyable'],
    },
    openNssToken,
  ),
)
describeKeyCustody(
  'Keys wrapped by NSS (S117)',
  suite(
    {
      custody: 'wrapped',
      algorithms: ['p-256', 'p-384', 'p-521'],
      refused: ['rsa-2048'],
      tolerate: ['local', 'signRecover', 'derive'],
    },
    openNssToken,
  ),
)
const opencryptoki = findOpencryptokiToken()
if (opencryptoki) {
  describeKeyCustody(
    'RSA keys in openCryptoki',
    suite(
      { custody: 'resident', algorithms: ['rsa-2048'], tolerate: ['allowedMechanisms'] },
      () => opencryptoki,
    ),
  )
} else {
  it('RSA keys in openCryptoki: not tried, since OPENRSSP_TEST_OPENCRYPTOKI names no token')
}
describe('SoftHSM behind p11-kit', () => {
  let remote: OtherToken

  before(async () => {
    remote = await openRemoteToken()
  })
  after(() => remote.close())

  it('is not opened where keys are to be wrapped, because it lacks what that takes (S100)', async () => {
    await assert.rejects(
      HsmKeys.open({ ...remote.options, sessions: 2, wrapped: true }),
      /The token lacks wrapped keys: AES key wrap \(CKM_AES_KEY_WRAP_KWP, CKM_AES_KEY_WRAP_PAD, CKM_AES_CBC_PAD\)/,
    )
  })

  describeKeyCustody(
    'Keys of SoftHSM behind p11-kit (S117)',
    suite(
      {
        custody: 'resident',
        algorithms: ['p-256', 'p-384', 'p-521', 'rsa-2048'],
        tolerate: ['allowedMechanisms'],
      },
      () => ({ ...remote, close: () => Promise.resolve() }),
    ),
  )
})
