import { HsmKeys } from '../../src/keys/hsm-keys.js'
import { describeKeyCustody, type CustodySuite } from '../support/key-custody.js'
import { newTestToken } from '../support/softhsm.js'
import { WrappedKeyTable } from '../support/wrapped-keys.js'

function softhsm(custody: CustodySuite['custody']): CustodySuite {
  const table = new WrappedKeyTable()
  let keys: HsmKeys | null = null
  return {
    custody,
    algorithms: ['p-256', 'p-384', 'p-521', 'rsa-2048'],
    async open() {
      const options = { ...newTestToken(), wrappedKeys: table, sessions: 4 }
      keys = await HsmKeys.open(options)
      await keys.makeWrappingKeys()
      return { keys, table, reopen: () => HsmKeys.open(options) }
    },
    close: async () => keys?.close(),
  }
}

describeKeyCustody('Keys in SoftHSM', softhsm('resident'))
describeKeyCustody('Keys wrapped by SoftHSM', softhsm('wrapped'))
