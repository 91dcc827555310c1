import { HsmKeys, type HsmKeysOptions } from '../../src/keys/hsm-keys.js'
import type { Custody } from '../../src/keys/key-id.js'
import type { OptionalAttribute } from '../../src/keys/pkcs11/session.js'
import { describeKeyCustody, type CustodySuite } from '../support/key-custody.js'
import { openNssToken, openRemoteToken, type OtherToken } from '../support/pkcs11-modules.js'
import { WrappedKeyTable } from '../support/wrapped-keys.js'

function suite(
  custody: Custody,
  openToken: () => OtherToken | Promise<OtherToken>,
  tolerate: readonly OptionalAttribute[],
): CustodySuite {
  const table = new WrappedKeyTable()
  let token: OtherToken | null = null
  let keys: HsmKeys | null = null
  return {
    custody,
    algorithms: ['p-256', 'p-384', 'p-521', 'rsa-2048'],
    async open() {
      token = await openToken()
      const options: HsmKeysOptions = {
        ...{ ...token.options, tolerate, wrappedKeys: table, sessions: 4 },
      }
      keys = await HsmKeys.open(options)
      if (custody === 'wrapped') await keys.makeWrappingKeys()
      console.log(await keys.findTolerations(custody).catch((e) => e))
      if (custody === 'wrapped') console.log(await keys.describeWrapping())
      return { keys, table, reopen: () => HsmKeys.open(options) }
    },
    async close() {
      await keys?.close()
      await token?.close()
    },
  }
}

const NSS: OptionalAttribute[] = ['allowedMechanisms', 'local', 'copyable']
describeKeyCustody('Keys in NSS', suite('resident', openNssToken, NSS))
describeKeyCustody(
  'Keys wrapped by NSS',
  suite('wrapped', openNssToken, [...NSS, 'signRecover', 'derive']),
)
describeKeyCustody('Keys behind p11-kit', suite('resident', openRemoteToken, ['allowedMechanisms']))
