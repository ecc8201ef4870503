import { homedir } from 'node:os';
import { join } from 'node:path';
import { SluiceError } from '../../base/errors.js';

/** Where models come from and where they are kept; by default as Hugging Face's own tools have it. */
export interface HubSettings {
  /** Without a slash at its end. */
  readonly endpoint: string;
  /** Sent to the endpoint alone, never to a host that it redirects to. */
  readonly token: string | undefined;
  /** The folder of all models. */
  readonly cache: string;
  /** Whether to use what is in the cache only. */
  readonly offline: boolean;
}

const publicEndpoint = 'https://huggingface.co';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Settings of the environment: HF_ENDPOINT, HF_TOKEN, HF_HUB_CACHE (else HF_HOME/hub, else XDG_CACHE_HOME/huggingface/hub,
 * else ~/.cache/huggingface/hub), HF_HUB_OFFLINE.
 * @throws SluiceError `argument` for an endpoint that is no web address.
 */
export function hubSettings(environment: Environment = process.env): HubSettings {
  const value = (name: string): string | undefined => {
    const text = environment[name]?.trim();
    return text === '' ? undefined : text;
  };
  const caches = value('XDG_CACHE_HOME') ?? join(homedir(), '.cache');
  const home = value('HF_HOME') ?? join(caches, 'huggingface');
  return {
    endpoint: checkedEndpoint(value('HF_ENDPOINT') ?? publicEndpoint),
    token: checkedToken(value('HF_TOKEN')),
    cache: value('HF_HUB_CACHE') ?? value('HUGGINGFACE_HUB_CACHE') ?? join(home, 'hub'),
    offline: /^(1|on|yes|true)$/i.test(value('HF_HUB_OFFLINE') ?? ''),
  };
}

export function checkedEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const hasSecret = url !== undefined && (url.username !== '' || url.password !== '');
  if (url !== undefined && !hasSecret && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '') {
    return text.replace(/\/+$/, '');
  }
  throw new SluiceError('argument', {
    rule: 'HF_ENDPOINT is an address that begins with https:// or http://',
    received: hasSecret ? `${url.host} with a user's name` : text,
    remedy: `Leave it out for ${publicEndpoint}${hasSecret ? ', and give a secret as HF_TOKEN' : ''}.`,
  });
}

/** Not shown in the error: it is a secret. */
export function checkedToken(token: string | undefined): string | undefined {
  if (token === undefined || /^[\x21-\x7e]+$/.test(token)) return token;
  throw new SluiceError('argument', {
    rule: 'the token of the hub, HF_TOKEN, is one word of ASCII characters',
    received: `${token.length} characters`,
    remedy: 'Copy it anew from the settings of your account.',
  });
}
