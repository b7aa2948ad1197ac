/** An object that can have no field: how the document writes the other half of "this or null". */
type Nothing = Record<string, never>

type IsNothing<T> = T extends Nothing ? (string extends keyof T ? true : false) : false

/**
 * An answer with every field there, at every depth. The server always sends them all, but its
 * document marks fields as required only in what it takes, not in what it gives; and what may be
 * null is written there as `Nothing | null | Thing`, of which only `null | Thing` is ever sent.
 */
export type Whole<T> = T extends (infer Item)[]
  ? Whole<Item>[]
  : IsNothing<T> extends true
    ? never
    : T extends object
      ? { [Key in keyof T]-?: Whole<Exclude<T[Key], undefined | Nothing>> }
      : T

/**
 * `T` with some fields said more exactly than the document does. What it says must still be what
 * the document allows, so a field that goes or changes its kind is a type error here.
 */
export type Narrow<T, Fields extends { [Key in keyof Fields]: Key extends keyof T ? T[Key] : never }> =
  Omit<T, keyof Fields> & Fields
