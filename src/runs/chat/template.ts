/** Chat templates as Transformers keeps and renders them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError } from '../../base/errors.js';
import { elements, field, type JsonObject } from '../../data/json.js';
import type { Tokenizer } from '../../data/tokenizer.js';
import { renderTemplate } from './render.js';

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

export interface ChatOptions {
  /** Whether the text ends where the assistant is to begin; true by default. */
  readonly addGenerationPrompt?: boolean;
}

/** What the configuration calls special tokens; templates know them by these names. */
const tokenNames = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask'].map((name) => `${name}_token`);

/** How a model was taught to talk: turns conversations into texts. */
export class ChatTemplate {
  readonly #template: string;
  readonly #tokens: Readonly<Record<string, string>>;

  /** @param config tokenizer_config.json, whose special tokens the template may name */
  constructor(template: string, config: JsonObject) {
    this.#template = template;
    this.#tokens = Object.fromEntries(
      tokenNames.flatMap((name) => {
        const token = field(config, name, 'content') ?? field(config, name);
        return typeof token === 'string' ? [[name, token]] : [];
      }),
    );
  }

  /** The conversation as a text, special tokens spelled out. @throws SluiceError as `renderTemplate`. */
  render(messages: readonly ChatMessage[], { addGenerationPrompt = true }: ChatOptions = {}): Promise<string> {
    const context = {
      ...{ messages, tools: null, documents: null, add_generation_prompt: addGenerationPrompt },
      ...this.#tokens,
    };
    return renderTemplate({ template: this.#template, context });
  }

  /**
   * The token that ends an assistant's turn, told by what the template puts behind one; undefined where that is text,
   * or the template refuses a conversation of two turns.
   */
  async endOfTurn(tokenizer: Tokenizer): Promise<number | undefined> {
    const said = 'sluice';
    const turns = ['user', 'assistant'].map((role) => ({ role, content: said }));
    const text = await this.render(turns, { addGenerationPrompt: false }).catch(() => '');
    const behind = text.slice(text.lastIndexOf(said) + said.length).trimStart();
    const added = elements(field(tokenizer.toFiles()['tokenizer.json'], 'added_tokens'));
    const first = added.find((token) => {
      const content = field(token, 'content');
      return typeof content === 'string' && content !== '' && text !== '' && behind.startsWith(content);
    });
    return first === undefined ? undefined : Number(field(first, 'id'));
  }
}

/** One template, or several by name, of which `default` is for conversations. */
function templateIn(config: JsonObject): string | undefined {
  const template = field(config, 'chat_template');
  if (typeof template === 'string') return template;
  const named = elements(template).find((one) => field(one, 'name') === 'default');
  const text = field(named, 'template');
  return typeof text === 'string' ? text : undefined;
}

/**
 * The chat template of a model's folder: chat_template.jinja, else the one in tokenizer_config.json.
 * @throws SluiceError `format` where there is none.
 */
export async function readChatTemplate(folder: string, tokenizer: Tokenizer): Promise<ChatTemplate> {
  const config = tokenizer.toFiles()['tokenizer_config.json'];
  const file = await readFile(join(folder, 'chat_template.jinja'), 'utf8').catch(() => undefined);
  const template = file ?? templateIn(config);
  if (template !== undefined) return new ChatTemplate(template, config);
  throw new SluiceError('format', {
    rule: 'a model to chat with has a chat template: chat_template.jinja, or chat_template in tokenizer_config.json',
    received: folder,
    remedy: 'Choose a model that was taught to chat, or use --prompt.',
  });
}
