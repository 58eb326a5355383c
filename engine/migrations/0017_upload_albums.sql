-- What a file says of the day on which it was taken; an empty text if it says nothing, NULL if nobody has looked.
ALTER TABLE local_files ADD COLUMN taken_on TEXT;
-- Titles may have placeholders in braces from now on: those that there are stay what they are.
UPDATE plans SET config = json_set(config, '$.album',
    replace(replace(json_extract(config, '$.album'), '{', '{{'), '}', '}}'))
WHERE json_extract(config, '$.album') LIKE '%{%' OR json_extract(config, '$.album') LIKE '%}%';
