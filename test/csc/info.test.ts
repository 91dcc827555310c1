import assert from 'node:assert/strict'
import { startRssp, type Rssp } from '../support/rssp.js'

describe('POST info', () => {
  let rssp: Rssp
  before(async () => {
    rssp = await startRssp({
      settings: { service: { name: 'Ein Dienst', region: 'AT', lang: 'de', specs: '2.0.0.0' } },
    })
  })
  after(() => rssp.close())

  it('answers {}, an empty body and GET alike, without a token', async () => {
    const [object, empty] = [await rssp.call('info', {}), await rssp.call('info', '')]
    const get = await fetch(`${rssp.baseUrl}/csc/v2/info`)
    assert.deepEqual([object.status, empty.status, get.status], [200, 200, 200])
    assert.deepEqual(object.body, empty.body)
    assert.deepEqual(object.body, await get.json())
    assert.equal(object.headers.get('content-type'), 'application/json; charset=UTF-8')
  })

  it('has every member that v2.0 to v2.2 require, from the live configuration', async () => {
    const { body } = await rssp.call('info', {})
    const { signAlgorithms, ...rest } = body
    assert.deepEqual(rest, {
      specs: '2.0.0.0',
      name: 'Ein Dienst',
      logo: `${rssp.baseUrl}/assets/logo.png`,
      region: 'AT',
      lang: 'de',
      description: 'Remote signing service',
      authType: ['oauth2code', 'oauth2client'],
      oauth2: rssp.baseUrl,
      supportsRar: true,
      asynchronousOperationMode: false,
      methods: [
        'auth/revoke',
        'credentials/list',
        'credentials/info',
        'credentials/authorize',
        'credentials/authorizeCheck',
        'credentials/getChallenge',
        'credentials/extendTransaction',
        'signatures/signHash',
      ],
      validationInfo: false,
      supportedHashTypes: ['dtbsr'],
      signature_formats: { formats: [], envelope_properties: [] },
      conformance_levels: [],
    })
    assert.equal(signAlgorithms.algos.length, signAlgorithms.algoParams.length)
  })

  it('names a logo that exists and is at most 256 by 256 pixels', async () => {
    const { body } = await rssp.call('info', {})
    const png = Buffer.from(await (await fetch(body.logo)).arrayBuffer())
    assert.equal(png.toString('latin1', 1, 4), 'PNG')
    assert.ok(png.readUInt32BE(16) <= 256 && png.readUInt32BE(20) <= 256)
  })

  it('says 501 for every method it does not name', async () => {
    for (const method of ['signatures/signDoc', 'credentials/create', 'nonsense', 'info/x']) {
      const { status, body } = await rssp.call(method, {})
      assert.deepEqual([status, body.error], [501, 'not_implemented'], method)
    }
  })

  it('says 405 and how for other HTTP methods', async () => {
    const response = await fetch(`${rssp.baseUrl}/csc/v2/credentials/list`)
    assert.deepEqual([response.status, response.headers.get('allow')], [405, 'POST'])
  })

  it('takes slashes too many or at the end for the same address', async () => {
    for (const path of ['//csc/v2/info', '/csc/v2//info', '/csc/v2/info/']) {
      assert.equal((await fetch(rssp.baseUrl + path)).status, 200, path)
    }
  })
})
