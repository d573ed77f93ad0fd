"""How tables are taken away and come home with every row: moved into the schema `archive`, never dropped."""
