// A sentence with its values. English that counts comes with both forms, as the server writes them: {n} {n|image|images}.
export function filled(text, values) {
  return text.replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (whole, key, one, many) => (
    many === undefined ? values[key] ?? whole : String(values[key]) === "1" ? one : many));
}
