module list-server

go 1.21
