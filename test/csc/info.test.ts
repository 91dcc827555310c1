import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { checkConfig } from '../../src/config/load.js'
import { startRssp, testSettings, type Rssp } from '../support/rssp.js'

describe('POST info', () => {
  let rssp: Rssp
  before(async () => {
    const descriptions = { fr: 'Signatures à distance' }
    rssp = await startRssp({
      settings: {
        service: { name: 'Ein Dienst', region: 'AT', lang: 'de', specs: '2.0.0.0', descriptions },
      },
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
      asynchronousOperationMode: true,
      methods: [
        'auth/revoke',
        'credentials/list',
        'credentials/info',
        'credentials/create',
        'credentials/delete',
        'credentials/authorize',
        'credentials/authorizeCheck',
        'credentials/getChallenge',
        'credentials/extendTransaction',
        'signatures/signHash',
        'signatures/signDoc',
        'signatures/signPolling',
        'signatures/timestamp',
      ],
      validationInfo: true,
      supportedHashTypes: ['dtbsr', 'sdr', 'sodr'],
      signature_formats: {
        formats: ['C', 'X', 'P', 'J'],
        envelope_properties: [
          ['Attached', 'Detached', 'Parallel'],
          ['Enveloped', 'Enveloping', 'Detached'],
          ['Certification', 'Revision'],
          ['Attached', 'Detached', 'Parallel'],
        ],
        allowMix: true,
        containers: [['ASiC-S', 'ASiC-E'], ['ASiC-S', 'ASiC-E'], [], []],
      },
      conformance_levels: ['AdES-B-B', 'AdES-B-T', 'AdES-B-LT', 'AdES-B-LTA'],
    })
    assert.equal(signAlgorithms.algos.length, signAlgorithms.algoParams.length)
  })

  it('answers in the language that is asked for, if it has a text in it', async () => {
    const inLanguage = async (lang: string) => {
      const { body } = await rssp.call('info', { lang })
      return [body.lang, body.description]
    }
    assert.deepEqual(await inLanguage('fr'), ['fr', 'Signatures à distance'])
    assert.deepEqual(await inLanguage('FR-be'), ['fr', 'Signatures à distance'])
    assert.deepEqual(await inLanguage('de-AT'), ['de', 'Remote signing service'])
    for (const lang of ['et', '', '-', 'constructor']) {
      assert.deepEqual(await inLanguage(lang), ['de', 'Remote signing service'], lang)
    }
  })

  it('names a logo that exists and is at most 256 by 256 pixels', async () => {
    const { body } = await rssp.call('info', {})
    const png = Buffer.from(await (await fetch(body.logo)).arrayBuffer())
    assert.equal(png.toString('latin1', 1, 4), 'PNG')
    assert.ok(png.readUInt32BE(16) <= 256 && png.readUInt32BE(20) <= 256)
  })

  it('says 501 for every method it does not name', async () => {
    for (const method of ['credentials/sendOTP', 'signatures/signAll', 'nonsense', 'info/x']) {
      const { status, body } = await rssp.call(method, {})
      assert.deepEqual([status, body.error], [501, 'not_implemented'], method)
    }
  })

  it('answers HEAD where it answers GET (RFC 9110, 9.1)', async () => {
    const response = await fetch(`${rssp.baseUrl}/csc/v2/info`, { method: 'HEAD' })
    assert.deepEqual([response.status, await response.text()], [200, ''])
    const put = await fetch(`${rssp.baseUrl}/csc/v2/info`, { method: 'PUT' })
    assert.deepEqual([put.status, put.headers.get('allow')], [405, 'GET, HEAD, POST'])
  })

  it('lets no pages of other origins read, unless configuration names them (S50)', async () => {
    const headers = { Origin: 'https://app.example', 'Access-Control-Request-Method': 'POST' }
    const response = await fetch(`${rssp.baseUrl}/csc/v2/info`, { method: 'OPTIONS', headers })
    assert.equal(response.status, 405)
    assert.equal(response.headers.get('access-control-allow-origin'), null)
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

describe('POST info, where the authorization server is', () => {
  const membersOf = async (oauthMember: string) => {
    const service = { name: 'Test', region: 'LT', oauthMember }
    const rssp = await startRssp({ settings: { service } })
    const { body } = await rssp.call('info', {})
    await rssp.close()
    const { oauth2, oauth2Issuer, oauth2Servers, supportsRar } = body
    return { baseUrl: rssp.baseUrl, members: { oauth2, oauth2Issuer, oauth2Servers, supportsRar } }
  }
  const none = { oauth2: undefined, oauth2Issuer: undefined, oauth2Servers: undefined }

  it('is an issuer', async () => {
    const { baseUrl, members } = await membersOf('oauth2Issuer')
    assert.deepEqual(members, { ...none, oauth2Issuer: baseUrl, supportsRar: true })
  })

  it('is a list of servers, and then has no supportsRar of its own (v2.2)', async () => {
    const { baseUrl, members } = await membersOf('oauth2Servers')
    const authType = ['oauth2code', 'oauth2client']
    const server = { issuerIdentifier: baseUrl, authType, supportsRar: true }
    assert.deepEqual(members, { ...none, oauth2Servers: [server], supportsRar: undefined })
  })

  it('is no list before v2.2: the configuration is refused', () => {
    const service = {
      ...{ name: 'Test', region: 'LT', specs: '2.1.0.1', oauthMember: 'oauth2Servers' },
    }
    const settings = testSettings('http://127.0.0.1:1', 1, { service })
    assert.throws(() => checkConfig(settings, tmpdir(), {}), /needs specs 2\.2 or later/)
  })
})
